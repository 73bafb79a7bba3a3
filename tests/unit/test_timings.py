"""The table of timings, from sidecars that are made by hand."""

import pytest

from opsft_flow.files import write_json
from opsft_flow.reporting.timings import by_node, time_columns, timing_rows

POINT = "m/r/L8/seed3"
EVAL = ("rollouts", "verdicts", "metrics")


@pytest.fixture
def settings(tmp_path):
    """One point of two iterations on one benchmark, tracked after the last."""
    files = [f"m/base/eval/b/{name}" for name in EVAL]
    for i in (1, 2):
        folder = f"{POINT}/iter{i}"
        files += [f"{folder}/{name}" for name in ("train/rollouts", "train/verdicts", "train/filter", "policy")]
        files += [f"{folder}/eval/b/{name}" for name in EVAL]
    files.append(f"{POINT}/iter2/tracked")
    for seconds, file in enumerate(files, start=1):
        write_json(tmp_path / f"{file}.run.json", {"settings": {}, "run": {"seconds": seconds, "phases": {}}})
    block = {"model": "m", "recipe": "r", "budget": 8, "seed": 3, "iterations": 2, "benchmarks": ["b"], "tracked": [2]}
    return {"results": str(tmp_path), "points": [block], "base": {"m": ["b"]}}


def test_one_row_for_each_node_in_the_order_in_which_they_run(settings):
    rows, missing = timing_rows(settings)
    assert missing == 0
    train = ("generate train", "verify train", "filter", "sft")
    evaluation = ("generate eval", "verify eval", "evaluate")
    expected = [("base", 0, "b", node) for node in evaluation]
    for i in (1, 2):
        expected += [("r", i, None, node) for node in train] + [("r", i, "b", node) for node in evaluation]
    expected.append(("r", 2, None, "track"))
    assert [(row["recipe"], row["iteration"], row["benchmark"], row["node"]) for row in rows] == expected
    assert [row["seconds"] for row in rows] == list(range(1, 19))


def test_decisions_to_stop_are_nodes_where_rules_are_set(settings, tmp_path):
    write_json(tmp_path / POINT / "iter2/stop.run.json", {"settings": {}, "run": {"seconds": 1.0, "phases": {}}})
    settings["points"][0]["decided"] = [2]
    rows, missing = timing_rows(settings)
    assert [row["iteration"] for row in rows if row["node"] == "stop"] == [2]
    assert (len(rows), missing) == (19, 0)


def test_a_point_with_a_schedule_has_no_one_budget(settings, tmp_path):
    (tmp_path / "m/r/L8").rename(tmp_path / "m/r/L-tighten")
    settings["points"][0]["budget"] = "tighten"
    rows, missing = timing_rows(settings)
    assert missing == 0
    assert {(row["recipe"], row["budget"], row["schedule"]) for row in rows} == {
        ("base", None, None),
        ("r", None, "tighten"),
    }


def test_a_sidecar_that_is_not_there_is_counted(settings, tmp_path):
    (tmp_path / POINT / "iter1/train/rollouts.run.json").unlink()
    rows, missing = timing_rows(settings)
    assert (len(rows), missing) == (17, 1)
    assert timing_rows({**settings, "results": str(tmp_path / "nowhere")}) == ([], 18)


def test_every_row_has_every_phase(settings, tmp_path):
    sidecar = tmp_path / POINT / "iter1/policy.run.json"
    write_json(sidecar, {"settings": {}, "run": {"seconds": 9.0, "phases": {"train": 5.0, "weights": 1.0}}})
    rows, _ = timing_rows(settings)
    assert {frozenset(row) for row in rows} == {frozenset(rows[0])}
    assert [row["train"] for row in rows if row["node"] == "sft"] == [5.0, 0.0]


def test_overhead_is_what_is_neither_work_nor_writing():
    run = {"seconds": 10.0, "phases": {"imports": 2.0, "engine start": 1.5, "sample": 4.0, "write": 0.5, "other": 2.0}}
    columns = time_columns(run)
    assert (columns["jobs"], columns["seconds"], columns["work"], columns["overhead"]) == (1, 10.0, 4.0, 5.5)
    assert columns["engine start"] == 1.5


def test_shards_count_with_the_node_that_gathers_them():
    shard = {"seconds": 6.0, "phases": {"sample": 4.0, "write": 0.5}}
    run = {"seconds": 1.0, "phases": {"write": 0.25}, "shard_runs": [shard, shard]}
    columns = time_columns(run)
    # 1 + 2 * 6 s, of which 2 * 4 are work and 0.25 + 2 * 0.5 writing.
    assert (columns["jobs"], columns["seconds"], columns["work"]) == (3, 13.0, 8.0)
    assert (columns["write"], columns["overhead"]) == (1.25, 3.75)


def test_sums_by_kind_of_node_and_of_the_whole():
    rows = [
        {"node": node, "jobs": 1, "seconds": seconds, "work": work, "overhead": seconds - work}
        for node, seconds, work in (("sft", 3.0, 2.0), ("filter", 4.0, 1.0), ("sft", 1.0, 0.5))
    ]
    assert by_node(rows) == [
        {"node": "sft", "jobs": 2, "seconds": 4.0, "work": 2.5, "overhead": 1.5, "share": 0.5},
        {"node": "filter", "jobs": 1, "seconds": 4.0, "work": 1.0, "overhead": 3.0, "share": 0.5},
        {"node": "all", "jobs": 3, "seconds": 8.0, "work": 3.5, "overhead": 4.5, "share": 1.0},
    ]
    assert by_node([]) == []
