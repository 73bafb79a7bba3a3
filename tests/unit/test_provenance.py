"""The table that says with what a benchmark was measured, from sidecars that are made by hand."""

import pytest

from opsft_flow.files import write_json
from opsft_flow.reporting.provenance import measured_with_rows

PROBLEMS = {"source": "data.parquet", "split": "test", "limit": None, "system": None, "template": "{question}"}
ROLLOUTS = {"samples": 4, "temperature": 0.6, "top_p": 0.95, "top_k": 0, "max_tokens": 200, "seed": 1}
ENGINE = {"name": "vllm", "version": "0.26.0", "dtype": "bfloat16"}


def write_place(folder, run: dict) -> None:
    """The sidecars of one place, sampled in `run`."""
    graded = {"packages": {"mpmath": "0.9.0"}}
    evaluate = {"resamples": 10000, "level": 0.95, "seed": 0}
    write_json(folder / "rollouts.run.json", {"settings": {"rollouts": ROLLOUTS}, "run": run})
    write_json(folder / "verdicts.run.json", {"settings": {"verifier": "math", "code": "c0de"}, "run": graded})
    write_json(folder / "metrics.run.json", {"settings": {"evaluate": evaluate}, "run": {}})


@pytest.fixture
def settings(tmp_path):
    """The base model, and one point of two iterations."""
    write_json(tmp_path / "problems/p.run.json", {"settings": {"problems": PROBLEMS}, "run": {}})
    for folder in ("base", "r/L8/seed0/iter1", "r/L8/seed0/iter2"):
        write_place(tmp_path / "m" / folder / "eval/b", {"engine": ENGINE, "packages": {"torch": "2.13.0"}})
    block = {"model": "m", "recipe": "r", "budget": 8, "seed": 0, "iterations": 2, "benchmarks": ["b"]}
    sampling = {"b": {**ROLLOUTS, "problems": "p"}}
    return {"results": str(tmp_path), "base": {"m": ["b"]}, "points": [block], "sampling": sampling}


def test_a_row_states_all_that_a_number_depends_on(settings):
    assert measured_with_rows(settings) == [
        {
            "model": "m",
            "benchmark": "b",
            "problem_set": "p",
            "problems_source": "data.parquet",
            "problems_split": "test",
            "problems_template": "{question}",
            "samples": "4",
            "temperature": "0.6",
            "top_p": "0.95",
            "top_k": "0",
            "max_tokens": "200",
            "seed": "1",
            "engine_name": "vllm",
            "engine_version": "0.26.0",
            "engine_dtype": "bfloat16",
            "torch": "2.13.0",
            "verifier": "math",
            "verifier_code": "c0de",
            "mpmath": "0.9.0",
            "resamples": "10000",
            "level": "0.95",
            "bootstrap_seed": "0",
        }
    ]


def test_policies_that_were_not_sampled_alike_are_seen(settings, tmp_path):
    newer = {"engine": {**ENGINE, "version": "0.27.0"}, "packages": {}}
    write_place(tmp_path / "m/r/L8/seed0/iter2/eval/b", {"shard_runs": [newer, newer], "packages": {}})
    (row,) = measured_with_rows(settings)
    assert (row["engine_name"], row["engine_version"]) == ("vllm", "0.26.0 | 0.27.0")


def test_a_library_that_was_only_loaded_is_not_named(settings, tmp_path):
    for file in tmp_path.rglob("verdicts.run.json"):
        write_json(
            file, {"settings": {"verifier": "integer", "code": "c0de"}, "run": {"packages": {"mpmath": "0.9.0"}}}
        )
    assert "mpmath" not in measured_with_rows(settings)[0]


def test_what_no_sidecar_tells_is_left_out(settings, tmp_path):
    for file in tmp_path.rglob("rollouts.run.json"):
        file.unlink()
    (row,) = measured_with_rows(settings)
    assert "engine_name" not in row
    assert row["verifier"] == "math"
