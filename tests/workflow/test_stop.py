"""A stop rule on a finished sweep: what runs, and what a stopped point leaves behind."""

import json

import pandas
import yaml

POINT = "results/toy/opsft/L40/seed0"
# Less than all is always kept: the second batch in a row stops the point after iteration 1.
ALWAYS = {"kept_share_below": {"share": 1.0, "patience": 2}}


def test_a_stopped_point_is_sampled_where_the_iteration_before_was_not_measured(checkout):
    """Stopped after iteration 1, which `every` leaves out: iteration 2 is sampled, and iterations 4 and 5 take its rollouts."""
    block = yaml.safe_load(checkout.overlay.read_text())["sweep"][0]
    checkout.change(
        sweep=[{**block, "budgets": [40]}],
        recipes={"opsft": {"stop": ALWAYS, "iterations": 5}},
        # What was sampled with the same settings would keep its number of shards.
        benchmarks={"sums": {"every": 2, "samples": 3}},
        resources={"generate": {"shards": 2}},
    )
    checkout.run("--cores", "2", f"{POINT}/iter5/eval/sums/metrics.json")

    point = checkout.folder / POINT
    assert json.loads((point / "iter2/policy.json").read_text())["stopped"]["iteration"] == 1
    rollouts = {i: (point / f"iter{i}/eval/sums/rollouts.parquet").read_bytes() for i in (2, 4, 5)}
    sampled = json.loads((point / "iter2/eval/sums/rollouts.run.json").read_text())["run"]
    assert sampled["tokens"] > 0
    assert sampled["shards"] == 2
    assert rollouts[2] == rollouts[4] == rollouts[5]
    assert checkout.would_run(f"{POINT}/iter5/eval/sums/metrics.json") == {}


def test_a_point_that_stops_is_copied_forward_and_says_why(checkout):
    block = yaml.safe_load(checkout.overlay.read_text())["sweep"][0]
    checkout.change(sweep=[{**block, "budgets": [40]}], recipes={"opsft": {"stop": ALWAYS, "iterations": 3}})
    summary = {"summary": 1, "compare": 1, "timings": 1, "figures": 1, "page": 1}
    copies = {"stop": 2, "sft": 2, "generate": 3, "verify": 3, "filter": 1, "evaluate": 2}
    assert checkout.would_run() == {**copies, "track": 1, **summary}
    checkout.run("--cores", "2")

    point = checkout.folder / POINT
    stopped = json.loads((point / "iter3/policy.json").read_text())["stopped"]
    assert (stopped["rule"], stopped["iteration"]) == ("kept_share_below", 1)
    assert len(pandas.read_parquet(point / "iter3/train/rollouts.parquet")) == 0
    measured = [(point / f"iter{i}/eval/sums/metrics.json").read_text() for i in (1, 2, 3)]
    assert measured[0] == measured[1] == measured[2]
    table = pandas.read_csv(checkout.folder / "results/summary/points.csv")
    assert table["stopped"].fillna("").tolist() == ["", "", "kept_share_below", "kept_share_below"]
    assert set(table["stopped_because"].dropna()) == {stopped["message"]}

    checkout.change(evaluate={"resamples": 600})
    assert checkout.would_run() == {"evaluate": 4, "track": 1, **summary}
