"""The shrunk default, end to end: what it leaves behind, and what a killed node does to it."""

import hashlib
import json
import re
import struct
from collections.abc import Iterator

import pandas
import pytest

NAMED_COLUMNS = [
    "model",
    "recipe",
    "budget",
    "seed",
    "iteration",
    "benchmark",
    "problems",
    "samples",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "tokens_mean",
    "tokens_low",
    "tokens_high",
    "truncated",
    "accuracy_diff",
    "accuracy_diff_low",
    "accuracy_diff_high",
]
RESULTS = ("rollouts.parquet", "verdicts.parquet", "selected.parquet", "filter.json", "policy.json", "metrics.json")


def hashes(folder, below: str = "results") -> dict[str, str]:
    """SHA-256 of every result and checkpoint, by path; sidecars say when and where, so they are left out."""
    root = folder / below
    files = [p for p in root.rglob("*") if p.is_file() and (p.name in RESULTS or p.suffix == ".safetensors")]
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(files)}


def test_points_table_has_a_row_for_each_point_iteration_and_benchmark(finished):
    for table in (
        pandas.read_csv(finished.folder / "results/summary/points.csv"),
        pandas.read_parquet(finished.folder / "results/summary/points.parquet"),
    ):
        assert [column for column in NAMED_COLUMNS if column not in table] == []
        assert len(table) == 1 + 2 * 2
        trained = table[table["recipe"] != "base"]
        keys = sorted(zip(trained["budget"], trained["iteration"], trained["benchmark"], strict=True))
        assert keys == [(40, 1, "sums"), (40, 2, "sums"), (80, 1, "sums"), (80, 2, "sums")]
        assert trained["accuracy_diff"].notna().all()
        assert ((table["accuracy_low"] <= table["accuracy"]) & (table["accuracy"] <= table["accuracy_high"])).all()
        assert ((trained["kept_share"] > 0) & (trained["kept_share"] <= 1)).all()


def test_training_makes_responses_shorter(finished):
    table = pandas.read_csv(finished.folder / "results/summary/points.csv")
    base = table[table["recipe"] == "base"]["tokens_mean"].item()
    tight = table[(table["budget"] == 40) & (table["iteration"] == 2)]["tokens_mean"].item()
    assert tight < base


def test_the_summary_agrees_with_the_verdicts(finished):
    """The accuracy and the mean length of a row, counted again from the rollouts and verdicts themselves."""
    place = finished.folder / "results/toy/opsft/L40/seed0/iter2/eval/sums"
    rollouts, verdicts = (pandas.read_parquet(place / f"{name}.parquet") for name in ("rollouts", "verdicts"))
    merged = rollouts.merge(verdicts, on=["problem_id", "sample"], validate="one_to_one")
    table = pandas.read_csv(finished.folder / "results/summary/points.csv")
    row = table[(table["budget"] == 40) & (table["iteration"] == 2)].iloc[0]
    assert row["accuracy"] == pytest.approx((merged["correct"] & (merged["finish_reason"] == "stop")).mean())
    assert row["tokens_mean"] == pytest.approx(merged["tokens"].mean())
    assert (merged["tokens"] == merged["response_ids"].map(len)).all()


def test_every_result_has_a_sidecar_with_its_settings(finished):
    results = finished.folder / "results"
    for name in ("toy/base/policy", "toy/base/eval/sums/rollouts", "problems/sums-train", "summary/points"):
        assert (results / f"{name}.run.json").exists()
    for name in ("train/rollouts", "train/verdicts", "train/filter", "policy", "eval/sums/metrics"):
        sidecar = json.loads((results / f"toy/opsft/L40/seed0/iter1/{name}.run.json").read_text())
        assert sidecar["settings"]["code"]
        assert sidecar["run"]["seconds"] >= 0
    assert (
        json.loads((results / "toy/opsft/L40/seed0/iter2/policy.json").read_text())["settings"]["sft"]["updates"] == 2
    )


def test_the_time_of_every_node_is_accounted_for(finished):
    table = pandas.read_csv(finished.folder / "results/summary/timings.csv")
    # The base model: 3 nodes. Each of 2 points: 2 iterations of 7 nodes, and its run.
    assert len(table) == 3 + 2 * (2 * 7 + 1)
    assert (table["overhead"] <= table["seconds"]).all()
    assert (table[table["node"] != "track"]["work"] > 0).all()
    totals = pandas.read_csv(finished.folder / "results/summary/timings_by_node.csv", index_col="node")
    assert totals.loc["all", "jobs"] == len(table)
    assert totals.loc["all", "seconds"] == pytest.approx(table["seconds"].sum())
    assert "33 nodes; 0 without a sidecar" in (finished.folder / "results/logs/summary/timings.log").read_text()


def test_figures_are_drawn_as_svg_and_png(finished):
    for name in ("pareto", "budget_curves", "iterations"):
        assert "<svg" in (finished.folder / f"results/summary/{name}.svg").read_text()[:1000]
        assert (finished.folder / f"results/summary/{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_page_has_the_rows_of_the_points_table_and_a_response_to_each_problem_shown(finished):
    html = (finished.folder / "results/summary/report.html").read_text()
    data = json.loads(re.search(r'<script id="page-data"[^>]*>(.*?)</script>', html, re.DOTALL).group(1))
    table = pandas.read_csv(finished.folder / "results/summary/points.csv")
    assert data["points"]["tokens_mean"] == pytest.approx(table["tokens_mean"].tolist(), rel=1e-5)
    assert [sample["arm"] for sample in data["samples"]] == ["40", "80"]
    for sample in data["samples"]:
        assert sum(sample["outcomes"].values()) == 24
        assert all(pair[side]["text"] for pair in sample["pairs"] for side in ("before", "after"))
    assert data["settings"]["common"]["sft.updates"] == 2
    assert [point["own"]["train.rollouts.max_tokens"] for point in data["settings"]["points"]] == [40, 80]


def test_the_cuts_and_contrasts_are_those_of_the_last_iterations_and_said_in_sentences(finished):
    summary = finished.folder / "results/summary"
    cuts, recipes = pandas.read_csv(summary / "cuts.csv"), pandas.read_csv(summary / "recipes.csv")
    last = cuts[cuts["cut"].isna()]
    measured = ["accuracy", *(f"{n}{end}" for n in ("accuracy_diff", "tokens_ratio") for end in ("", "_low", "_high"))]
    for name in ["budget", "iteration", *measured]:
        assert last[name].tolist() == pytest.approx(recipes[name].tolist()), name
    assert cuts["cut"].dropna().unique().tolist() == [0.2, 0.4, 0.6, 0.8]
    (contrast,) = pandas.read_csv(summary / "contrasts.csv").to_dict("records")
    (pair,) = pandas.read_csv(summary / "pairs.csv").to_dict("records")
    differences = measured[1:]
    assert [contrast[name] for name in differences] == pytest.approx([pair[name] for name in differences])
    costs = pandas.read_csv(summary / "costs.csv")
    assert (costs["iteration"].tolist(), costs["budget"].tolist()) == ([1, 2, 1, 2], [40, 40, 80, 80])
    assert (costs["elapsed_seconds"] > 0).all()
    found = (summary / "findings.md").read_text()
    assert "- **opsft, budget 40** (1 seed), after iteration 2: tokens " in found
    assert ("min of training nodes" in found) == bool(cuts["iteration"].count() - len(last))


def test_the_report_holds_every_figure_with_its_caption(checkout, tmp_path):
    checkout.run("--report", str(tmp_path / "report.html"))
    html = (tmp_path / "report.html").read_text()
    for name in ("pareto.svg", "budget_curves.svg", "iterations.svg", "points.csv", "report.html"):
        assert name in html
    assert "bootstrap" in html


def test_every_point_is_one_offline_run_with_a_step_for_each_iteration(finished):
    ids = set()
    for budget in (40, 80):
        point = finished.folder / f"results/toy/opsft/L{budget}/seed0"
        tracked = json.loads((point / "iter2/tracked.json").read_text())
        assert tracked["status"] == "written"
        runs = list((point / "wandb").glob(f"offline-run-*-{tracked['id']}"))
        assert len(runs) == 1
        ids.add(tracked["id"])
        history = read_history(runs[0])
        assert [step["iteration"] for step in history] == [0, 1, 2]
        assert {"filter/kept_share", "sft/loss", "eval/sums/accuracy", "eval/sums/difference/accuracy"} <= set(
            history[2]
        )
    assert len(ids) == 2


def read_history(run) -> list[dict]:
    """The logged steps of an offline run."""
    from wandb.proto.wandb_internal_pb2 import Record

    steps = []
    for data in read_records(next(run.glob("*.wandb")).read_bytes()):
        record = Record.FromString(data)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            steps.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
    return steps


def read_records(content: bytes) -> Iterator[bytes]:
    """The records of a file in LevelDB's log format, which W&B writes after a header of 7 bytes.

    A block has 32 KiB; a piece has a checksum (4 bytes), a length (2), a kind (1: whole, 2: first, 3: middle, 4: last).
    """
    position, record = 7, b""
    while position + 7 <= len(content):
        left = 32768 - position % 32768
        if left < 7:
            position += left
            continue
        length, kind = struct.unpack_from("<HB", content, position + 4)
        record += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            yield record
            record = b""


def test_a_server_that_cannot_be_reached_fails_nothing(checkout, monkeypatch):
    """Online, each iteration has a tracking node of its own; those of a point do not get through, and all end well."""
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    checkout.change(track={"mode": "online", "timeout_s": 8})
    assert checkout.would_run() == {"track": 4, "timings": 1, "page": 1}
    result = "results/toy/opsft/L40/seed0/iter2/tracked.json"
    checkout.run("--cores", "1", result)
    tracked = json.loads((checkout.folder / result).read_text())
    assert tracked["status"].startswith("not sent")


def test_an_iteration_that_is_run_again_without_anything_kept_warm_gives_the_same_bytes(finished, checkout):
    expected = hashes(finished.folder)
    assert len(expected) > 30
    checkout.change(warm={"imports": False})
    assert checkout.would_run() == {}
    iteration = "results/toy/opsft/L40/seed0/iter1"
    last = checkout.folder / iteration / "eval/sums/metrics.json"
    before = last.stat().st_mtime_ns
    again = f"{iteration}/train/rollouts.parquet"
    checkout.run("--cores", "2", str(last.relative_to(checkout.folder)), "--forcerun", again)
    assert last.stat().st_mtime_ns > before
    assert hashes(checkout.folder) == expected
