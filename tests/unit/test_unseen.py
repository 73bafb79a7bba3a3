"""Results that Snakemake has not seen, and deletes before it starts their node again."""

import json
import os
import sys

import pytest

from opsft_flow.machine.unseen import FOLDER, forget_finished
from opsft_flow.node import node


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that runs a node with an input and two outputs in a folder, and says whether it has done the work."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER, "results/.unseen")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, "1")
    (tmp_path / "table").write_text("rows")

    def started(settings: dict | None = None, table: str = "table", name: str = "result") -> bool:
        paths = {"table": table, "result": f"{name}.parquet", "other": f"{name}.json", "run": f"{name}.run.json"}
        options = {"settings": json.dumps(settings or {"a": 1}), **paths}
        monkeypatch.setattr(sys, "argv", ["", *(part for key, text in options.items() for part in (f"--{key}", text))])
        try:
            with node("", inputs=("table",), outputs=("result", "other")) as job:
                for path in job.outputs:
                    with open(path, "w") as file:
                        file.write(f"{settings} {path}")
        except SystemExit as ended:
            if ended.code:
                raise
            return False
        return True

    return started


def delete_outputs(folder) -> None:
    """What Snakemake does before it starts a node."""
    for file in folder.glob("result.*"):
        file.unlink()


def files_below(folder) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_result_that_was_deleted_unseen_is_brought_back(run, tmp_path):
    assert run()
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.glob("result.*")}
    delete_outputs(tmp_path)
    assert not run()
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.glob("result.*")} == before
    assert len(before) == 3


@pytest.mark.parametrize("change", ["settings", "input", "a kept file is gone"])
def test_other_work_is_done_and_what_was_kept_goes(run, tmp_path, change):
    assert run()
    delete_outputs(tmp_path)
    if change == "input":
        (tmp_path / "table").write_text("rows of another batch")
    if change == "a kept file is gone":
        sorted((tmp_path / "results/.unseen").iterdir())[2].unlink()
    assert run({"a": 2} if change == "settings" else {"a": 1})
    assert len(files_below(tmp_path / "results/.unseen")) == 3
    delete_outputs(tmp_path)
    assert not run({"a": 2} if change == "settings" else {"a": 1})


def test_a_result_that_the_next_node_reads_was_seen(run, tmp_path):
    assert run()
    assert run(table="result.parquet", name="next")
    delete_outputs(tmp_path)
    assert run()


def test_a_result_of_a_call_that_has_ended_was_seen_and_nothing_is_left(run, tmp_path):
    assert run()
    forget_finished(["result.parquet"])
    assert not (tmp_path / "results/.unseen").exists()
    delete_outputs(tmp_path)
    assert run()


def test_what_another_call_has_not_seen_stays(run, tmp_path):
    assert run()
    assert run(name="other")
    forget_finished(["other.parquet"])
    assert len(files_below(tmp_path / "results/.unseen")) == 3


def test_a_file_system_without_hard_links_keeps_nothing(run, tmp_path, monkeypatch):
    def refuse(*paths):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert run()
    assert files_below(tmp_path / "results/.unseen") == []
    delete_outputs(tmp_path)
    assert run()
