"""The pure functions of the nodes' scripts."""

import contextlib
import dataclasses
import importlib.util
import json
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from opsft.selection.interface import Group
from opsft.thinking import THINK
from opsft_flow.configuration.config import resolve
from opsft_flow.files import read_json, write_json
from opsft_flow.tables import VERDICT, write_table
from opsft_flow.weights.checkpoints import write_checkpoint
from opsft_flow.weights.policy import checkpoint_of, copy_forward, describe_folder
from tests.unit.example_config import example_config

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "workflow" / "scripts"


def load(name: str):
    """A script as a module; scripts are in no package."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rollout(problem_id: str, sample: int, tokens: int = 3, finish_reason: str = "stop") -> dict:
    return {"problem_id": problem_id, "sample": sample, "tokens": tokens, "finish_reason": finish_reason}


def verdict(problem_id: str, sample: int, matched: bool = True, finished: bool = True) -> dict:
    reason = ("correct" if matched else "wrong") if finished else "unfinished"
    return {
        "problem_id": problem_id,
        "sample": sample,
        "correct": matched and finished,
        "matched": matched,
        "answer": "1",
        "reason": reason,
    }


def test_no_script_costs_torch_before_its_node_has_begun():
    assert {path.stem for path in SCRIPTS.glob("*.py")} >= {"base", "generate", "verify", "filter", "sft", "evaluate"}
    # The figures are left out: they cost matplotlib, and no GPU node waits for them.
    code = "import sys, runpy; [runpy.run_path(path) for path in sys.argv[1:]]; sys.exit('torch' in sys.modules)"
    paths = [str(path) for path in sorted(SCRIPTS.glob("*.py")) if path.stem != "figures"]
    done = subprocess.run([sys.executable, "-c", code, *paths], cwd=SCRIPTS.parents[1])
    assert done.returncode == 0


def filter_job(tmp_path, budget: int | None, schedule: dict | None):
    write_json(tmp_path / "filter.json", {"budget": 99, "next_budget": 40})
    return SimpleNamespace(settings={"budget": budget, "schedule": schedule}, before=str(tmp_path / "filter.json"))


def graded(*tokens: int) -> Group:
    """Responses to one prompt, all right but the last."""
    right = np.arange(len(tokens)) < len(tokens) - 1
    return Group(correct=right, matched=right, finished=np.ones(len(tokens), dtype=bool), tokens=np.array(tokens))


def test_filter_takes_its_budget_from_the_plan_or_from_the_filter_before(tmp_path):
    facts, groups = load("filter").budget_facts, {"a": graded(5, 30), "b": graded(10, 20, 30)}
    schedule = {"kind": "quantile", "start": 50, "floor": 4, "quantile": 0.6, "most_truncated": 1}
    assert facts(filter_job(tmp_path, 24, None), groups) == {"budget": 24}
    # The right ones have 5, 10 and 20 tokens; 60% of them have at most 10.
    assert facts(filter_job(tmp_path, 50, schedule), groups) == {"budget": 50, "next_budget": 10}
    assert facts(filter_job(tmp_path, None, schedule), groups) == {"budget": 40, "next_budget": 10}
    # Of the six responses to both prompts one is cut off.
    cut = {**groups, "c": dataclasses.replace(graded(40), finished=np.array([False]))}
    for most, expected in ((1 / 6, 40), (0.17, 10)):
        tighter = {**schedule, "most_truncated": most}
        assert facts(filter_job(tmp_path, None, tighter), cut)["next_budget"] == expected
    assert facts(filter_job(tmp_path, None, schedule), {}) == {"budget": 40, "next_budget": 40}


def test_generate_takes_its_cap_from_the_settings_or_from_the_filter_before(tmp_path):
    write_json(tmp_path / "filter.json", {"budget": 99, "next_budget": 40})
    cap = load("generate").max_tokens_of
    for planned, expected in ((24, 24), (None, 40)):
        job = SimpleNamespace(settings={"rollouts": {"max_tokens": planned}}, budget=str(tmp_path / "filter.json"))
        assert cap(job) == expected


def test_generate_takes_all_of_a_benchmark_and_the_iteration_s_prompts_in_training():
    choose = load("generate").choose
    rows = [{"problem_id": str(i)} for i in range(6)]
    assert choose(rows, {"prompts": None}, 1) == rows
    first, second = (choose(rows, {"prompts": 3, "seed": 0}, i) for i in (1, 2))
    assert sorted([row["problem_id"] for row in first + second]) == list("012345")


def test_generate_numbers_the_samples_and_their_seeds():
    script = load("generate")
    completions = [
        SimpleNamespace(token_ids=ids, finish_reason=reason, logprob=-1.0)
        for ids, reason in (((5, 6), "stop"), ((7,), "length"))
    ]
    tokenizer = SimpleNamespace(added_tokens_decoder={}, all_special_ids=[], decode=lambda ids: "-".join(map(str, ids)))
    request = script.Request(prompt_ids=(1, 2), seed=40, samples=2)
    rows = script.as_rows({"problem_id": "a"}, request, "<think>", completions, tokenizer, THINK)
    assert [(row["sample"], row["seed"], row["text"], row["tokens"]) for row in rows] == [
        (0, 40, "5-6", 2),
        (1, 41, "7", 1),
    ]
    assert [row["finish_reason"] for row in rows] == ["stop", "length"]
    assert all(row["opens_thinking"] for row in rows)


def test_evaluate_counts_the_reasons(tmp_path):
    write_table(tmp_path / "verdicts.parquet", [verdict("a", 1, finished=False), verdict("a", 0)], VERDICT)
    assert load("evaluate").count_reasons(str(tmp_path / "verdicts.parquet")) == {"correct": 1, "unfinished": 1}


def test_base_names_the_commit_of_a_hub_model(tmp_path, monkeypatch):
    snapshot = tmp_path / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    save_file({"w": np.ones(2, dtype=np.float32)}, snapshot / "model.safetensors")
    hub = SimpleNamespace(snapshot_download=lambda source, revision, allow_patterns: str(snapshot))
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    manifest = run_base(tmp_path, monkeypatch, {"source": "owner/model", "revision": "main"})
    assert manifest["revision"] == "c0ffee"
    assert list(manifest["files"]) == ["model.safetensors"]


def test_base_keeps_the_revision_of_a_local_model_as_given(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    save_file({"w": np.ones(2, dtype=np.float32)}, tmp_path / "model" / "model.safetensors")
    manifest = run_base(tmp_path, monkeypatch, {"source": str(tmp_path / "model"), "revision": None})
    assert (manifest["revision"], manifest["iteration"], manifest["optimizer"]) == (None, 0, None)


def test_base_refuses_weights_that_are_no_numbers(tmp_path, monkeypatch, capsys):
    (tmp_path / "model").mkdir()
    save_file({"w": np.array([1, np.nan], dtype=np.float32)}, tmp_path / "model" / "model.safetensors")
    with pytest.raises(SystemExit):
        run_base(tmp_path, monkeypatch, {"source": str(tmp_path / "model"), "revision": None})
    assert "1 tensors hold NaN or infinite weights: w;" in capsys.readouterr().err
    assert not (tmp_path / "policy.json").exists()


def run_base(tmp_path, monkeypatch, model: dict) -> dict:
    """The manifest that the base node writes."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, "1")
    paths = ["--policy", str(tmp_path / "policy.json"), "--run", str(tmp_path / "policy.run.json")]
    monkeypatch.setattr("sys.argv", ["base.py", "--settings", json.dumps({"model": model}), *paths])
    load("base").main()
    return read_json(tmp_path / "policy.json")


@pytest.fixture
def parent(tmp_path):
    """Policy 1 of a point, with its weights and its optimiser's state."""
    for name in ("policy/model.safetensors", "trainer/optimizer.safetensors"):
        file = tmp_path / "iter1" / name
        file.parent.mkdir(parents=True)
        file.write_text("w")
    files = {name: describe_folder(tmp_path / "iter1" / name) for name in ("policy", "trainer")}
    optimizer = {"path": "trainer", "files": files["trainer"]}
    probe = {"prompt_ids": [1, 2], "logprob": -0.5}
    manifest = {"path": "policy", "files": files["policy"], "optimizer": optimizer, "probe": probe}
    write_json(tmp_path / "iter1" / "policy.json", manifest)
    return tmp_path / "iter1" / "policy.json"


POINT = {"model": "m", "recipe": "r", "budget": 8, "seed": 0}


def copy_job(parent: pathlib.Path, give_up_after: int = 3):
    limits = json.dumps({"give_up_after": give_up_after, "checkpoint_every": 50})
    return SimpleNamespace(parent=str(parent), settings={"point": POINT}, limits=limits)


def test_sft_points_at_the_parent_where_nothing_was_kept_and_copies_of_copies_too(parent):
    for i in (2, 3):
        folder = parent.parents[1] / f"iter{i}"
        above = folder.parent / f"iter{i - 1}" / "policy.json"
        part = copy_forward(above, read_json(above), folder)
        assert (part["path"], part["optimizer"]["path"]) == ("../iter1/policy", "../iter1/trainer")
        assert (part["copied"], part["metrics"]) == (True, None)
        assert part["probe"] == {"prompt_ids": [1, 2], "logprob": -0.5}
        write_json(folder / "policy.json", part)
        assert checkpoint_of(folder / "policy.json") == parent.parent / "policy"


def test_sft_gives_up_after_too_many_iterations_in_which_nothing_was_kept(parent):
    count_empty = load("sft").count_empty
    assert [count_empty(copy_job(parent), {"empty_streak": streak}) for streak in (0, 1)] == [1, 2]
    with pytest.raises(
        ValueError, match=r"nothing survived the filter in 3 iterations in a row .*; budget 8 is too tight"
    ):
        count_empty(copy_job(parent), {"empty_streak": 2})
    assert count_empty(copy_job(parent, give_up_after=4), {"empty_streak": 2}) == 3


def test_sft_of_the_base_model_that_kept_nothing_is_the_base_model(tmp_path):
    base = {"path": None, "files": {}, "optimizer": None, "probe": None}
    part = copy_forward(tmp_path / "policy.json", base, tmp_path / "iter1")
    assert (part["path"], part["optimizer"], part["copied"]) == (None, None, True)


ON_A_GPU = pytest.param(
    "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")]
)


@pytest.mark.parametrize("device", ["cpu", ON_A_GPU])
def test_sft_writes_the_gathered_weights_of_a_model_that_has_left_the_gpu(tmp_path, tiny_model, device):
    from opsft.training_state import checkpoint_tensors

    tiny_model.save_pretrained(tmp_path / "before")
    script, used = load("sft"), torch.cuda.memory_allocated()
    model = tiny_model.to(device)
    weights = checkpoint_tensors(model)
    script.leave_gpu(model)
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}
    assert torch.cuda.memory_allocated() == used
    write_checkpoint(model, weights, tmp_path / "before", tmp_path / "after", trust_remote_code=False)
    names = {"model.safetensors", "config.json"}
    before, after = ({name: (tmp_path / when / name).read_bytes() for name in names} for when in ("before", "after"))
    assert before == after


@pytest.mark.parametrize("optimizer_state", ["carry", "reset"])
def test_sft_counts_the_updates_of_the_parent_and_saves_as_often_as_its_limits_say(
    tmp_path, monkeypatch, optimizer_state
):
    import opsft.sft

    class Ended(Exception):
        pass

    def train(model, batch, settings, **given):
        raise Ended(settings.checkpoint_every, settings.lr, given["updates_before"], given["seed"])

    script = load("sft")
    monkeypatch.setattr(opsft.sft, "train", train)
    monkeypatch.setattr(script, "own_scratch", lambda job, folder: SimpleNamespace(folder=tmp_path))
    monkeypatch.setattr(script, "load_policy", lambda *policy, **options: (torch.nn.Linear(1, 1), {}))
    monkeypatch.setattr(script, "read_batch", lambda job: None)
    block = resolve(example_config())["recipes"]["r"]["sft"]
    tracked = {key: block[key] for key in block if key not in ("checkpoint_every", "give_up_after")}
    job = SimpleNamespace(
        settings={
            "sft": {**tracked, "lr": 0.5, "optimizer_state": optimizer_state},
            "point": {"seed": 3},
            "iteration": 4,
            "trust_remote_code": False,
        },
        parent="parent.json",
        limits='{"checkpoint_every":7,"give_up_after":3}',
        threads=1,
        gpus=0,
        policy="policy.json",
        facts={},
        phases={},
        phase=lambda name: contextlib.nullcontext(),
    )
    with pytest.raises(Ended) as ended:
        script.train_policy(job, {"updates": 12}, tmp_path)
    assert ended.value.args == (7, 0.5, 12, (3, 4))


def test_summary_keeps_whole_numbers_whole_beside_missing_ones():
    frame = load("summary").as_frame([{"budget": None, "kept": None, "x": 0.5}, {"budget": 8, "kept": 3, "x": 1.0}])
    assert frame.to_csv(index=False) == "budget,kept,x\n,,0.5\n8,3,1.0\n"


def test_track_gives_up_on_a_writer_that_does_not_answer_and_reports_one_that_fails(monkeypatch):
    script = load("track")
    monkeypatch.setattr(sys, "executable", "false")
    assert script.send({}, 5) == "not sent: the writer ended with status 1"
    monkeypatch.setattr(sys, "executable", "true")
    assert script.send({}, 5) == "written"

    def never_ends(command, timeout, stdin):
        raise script.subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(script.subprocess, "run", never_ends)
    assert script.send({}, 0.5) == "not sent: no answer within track.timeout_s (0.5 s)"


def test_the_working_directory_hides_no_package_from_the_writer(tmp_path, monkeypatch):
    (tmp_path / "hashlib.py").write_text("open('taken', 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTS.parents[1]))
    load("track").send({}, 60)
    assert not (tmp_path / "taken").exists()
