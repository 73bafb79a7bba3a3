"""Where models and problem sets come from, and what is refused."""

import pytest

from opsft_flow.configuration import sources
from opsft_flow.configuration.sources import (
    check_model,
    check_problems,
    find_local,
    looks_local,
    problem_path,
)
from opsft_flow.errors import ConfigError


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """A working directory and a folder of the Snakefile, both empty."""
    for name in ("working", "snakefile"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "working")
    monkeypatch.setattr(sources, "ROOT", tmp_path / "snakefile")
    return tmp_path


def make_model(folder, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(name)


def test_a_relative_path_is_looked_for_in_the_working_directory_then_beside_the_snakefile(folders):
    assert find_local("owner/model") is None
    make_model(folders / "snakefile" / "owner" / "model")
    assert find_local("owner/model") == folders / "snakefile" / "owner" / "model"
    make_model(folders / "working" / "owner" / "model")
    assert find_local("owner/model").resolve() == folders / "working" / "owner" / "model"


@pytest.mark.parametrize("source", ["/a", "./a", "../a", "~/a", "a/b/c", "a/b.parquet", "b.jsonl", "b.json", "b.csv"])
def test_what_cannot_be_a_hub_id_must_exist(source):
    assert looks_local(source)
    with pytest.raises(ConfigError, match=r"models\.m\.source: .* does not exist"):
        check_model("m", source)
    with pytest.raises(ConfigError, match=r"problems\.p\.source: .* does not exist"):
        check_problems("p", source, "train")


@pytest.mark.parametrize("source", ["owner/model", "gpt2", "openai/gsm8k", "Qwen/Qwen2.5-0.5B"])
def test_what_may_be_a_hub_id_is_left_to_the_hub(source):
    assert not looks_local(source)
    check_model("m", source)
    check_problems("p", source, "train")
    assert problem_path(source, "train") is None


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_that_is_no_whole_checkpoint_is_refused(folders, missing):
    whole = {"config.json", "model.safetensors", "tokenizer.json"}
    make_model(folders / "whole", *whole)
    check_model("m", str(folders / "whole"))
    make_model(folders / "part", *(whole - {missing}))
    with pytest.raises(
        ConfigError, match=r"models\.m\.source: .*part holds no .*; a checkpoint in safetensors is needed"
    ):
        check_model("m", str(folders / "part"))


def test_the_file_of_a_split(folders):
    make_model(folders / "data", "train.csv", "test.jsonl", "test.parquet")
    assert problem_path(str(folders / "data"), "train").name == "train.csv"
    assert problem_path(str(folders / "data"), "test").name == "test.parquet"
    assert problem_path(str(folders / "data" / "train.csv"), "any").name == "train.csv"


def test_a_folder_without_the_split_is_refused_with_what_it_holds(folders):
    make_model(folders / "data", "train.csv")
    with pytest.raises(
        ConfigError, match=r"problems\.p\.source: folder .*data holds train.csv; split 'test' needs one of"
    ):
        check_problems("p", str(folders / "data"), "test")


def test_built_in_tasks_are_those_that_are_there():
    check_problems("p", "builtin:arithmetic", "train")
    for task in ("sudoku", "", "__init__"):
        with pytest.raises(ConfigError, match=f"built-in task '{task}' is unknown; allowed: arithmetic"):
            check_problems("p", f"builtin:{task}", "train")
