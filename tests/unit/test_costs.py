"""What points took, from sidecars that are made by hand."""

import pytest

from opsft_flow.files import write_json
from opsft_flow.machine.gpus import WAITING
from opsft_flow.reporting.costs import COST_COLUMNS, cost_rows

POINT = "m/r/L8/seed3"
START = "2026-01-01T00:00:{:02d}+00:00"


def write(path, started: int, ended: int, **facts) -> None:
    run = {"started": START.format(started), "ended": START.format(ended), "seconds": float(ended - started), **facts}
    write_json(path, {"settings": {}, "run": run})


@pytest.fixture
def settings(tmp_path):
    """One point of two iterations: sampled in two shards on a GPU each, and measured after both."""
    for i, start in ((1, 0), (2, 20)):
        folder = tmp_path / POINT / f"iter{i}"
        shards = [{"seconds": seconds, "gpus_held": 1.0, "gpu_seconds": seconds - 1} for seconds in (3.0, 4.0)]
        shards[1] |= {"seconds": 40.0, "phases": {WAITING: 36.0}}
        write(folder / "train/rollouts.run.json", start, start + 1, shard_runs=shards)
        write(folder / "train/verdicts.run.json", start + 1, start + 3)
        write(folder / "train/filter.run.json", start + 3, start + 4)
        write(folder / "policy.run.json", start + 4, start + 10, gpus_held=1.0, gpu_seconds=5.0)
        for name in ("rollouts", "verdicts", "metrics"):
            write(folder / f"eval/b/{name}.run.json", start + 10, start + 15, gpus_held=1.0, gpu_seconds=4.0)
    block = {"model": "m", "recipe": "r", "budget": 8, "seed": 3, "iterations": 2, "benchmarks": ["b"], "tracked": []}
    return {"results": str(tmp_path), "points": [block], "base": {}}


def test_costs_are_summed_since_the_first_iteration(settings):
    first, second = cost_rows(settings)
    assert list(first) == COST_COLUMNS
    spent = COST_COLUMNS[-4:]
    # 1 + 3 + 4 to sample, waiting for a GPU left out, 2 to grade, 1 to select, 6 to train; the GPUs were held for 2 + 3 + 5; until the end of
    # training 10 s had passed.
    assert [first[name] for name in spent] == [17, 10, 15, 10]
    assert [second[name] for name in spent] == [34, 20, 30, 30]


def test_how_long_gpus_were_held_is_unknown_where_a_sidecar_only_says_how_many(settings, tmp_path):
    write(tmp_path / POINT / "iter2/policy.run.json", 24, 30, gpus_held=1.0)
    assert [row["gpu_seconds"] for row in cost_rows(settings)] == [10, None]


def test_measuring_is_no_part_of_training(settings, tmp_path):
    for file in (tmp_path / POINT).glob("iter*/eval/b/*.run.json"):
        file.unlink()
    assert [row["training_seconds"] for row in cost_rows(settings)] == [17, 34]
    assert [row["measuring_seconds"] for row in cost_rows(settings)] == [0, 0]


def test_tracking_is_no_measuring(settings, tmp_path):
    before = cost_rows(settings)
    settings["points"][0]["tracked"] = [1, 2]
    write(tmp_path / POINT / "iter2/tracked.run.json", 35, 59)
    assert cost_rows(settings) == before


def test_a_point_without_sidecars_has_no_rows(settings, tmp_path):
    (tmp_path / "m").rename(tmp_path / "gone")
    assert cost_rows(settings) == []
