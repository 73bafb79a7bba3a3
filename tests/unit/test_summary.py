"""The rows of the tables, from a results tree that is made by hand."""

import pytest

from opsft_flow.files import write_json
from opsft_flow.reporting.summary import KEYS, point_rows

SAMPLING = {"problems": "p", "samples": 4, "max_tokens": 200, "temperature": 0.5, "top_p": 1.0, "top_k": 0, "seed": 0}


def estimate(value: float) -> dict:
    return {"value": value, "low": value - 1, "high": value + 1}


def metrics(accuracy: float, difference: dict | None = None) -> dict:
    """A metrics.json whose every number tells where it comes from."""
    return {
        "problems": 7,
        "samples": 4,
        "accuracy": estimate(accuracy),
        "accuracy_per_1000_tokens": estimate(9),
        "truncated": estimate(10),
        "answered": estimate(11),
        "area_under_curve": estimate(12),
        "pass_at_k": {"1": estimate(13), "4": estimate(14)},
        "maj_at_k": {"4": estimate(15)},
        "g_pass_at_k": {"4": {"0.5": estimate(16), "1.0": estimate(17)}},
        "mg_pass_at_k": {"4": estimate(18)},
        "tokens_to_reach": {"0.5": {**estimate(40), "reached": 0.75}},
        "tokens_to_reach_of_base": {"0.9": {"value": None, "low": 41, "high": None, "reached": 0.25}},
        "tokens": {
            key: estimate(20 + i) for i, key in enumerate(("mean", "median", "p90", "mean_right", "mean_wrong"))
        },
        "budget_curve": [{"budget": 2, **estimate(30)}, {"budget": 4, **estimate(31)}],
        "difference": difference,
    }


def statistics(kept: int) -> dict:
    before = {
        "accuracy": 0.5,
        "truncated": 0.25,
        "tokens_mean": 9.0,
        "prompts_all_right": 0.1,
        "prompts_all_wrong": 0.2,
        "entropy": 1.5,
    }
    after = {"tokens_mean": 5.0 if kept else None, "duplicates": 0.75 if kept else None}
    return {
        "budget": 7 + kept // 8,
        "rollouts": 16,
        "kept": kept,
        "kept_share": kept / 16,
        "before": before,
        "after": after,
    }


@pytest.fixture
def settings(tmp_path):
    """One point of two iterations on two benchmarks; the second iteration kept nothing."""
    for name in ("b", "c"):
        write_json(tmp_path / f"m/base/eval/{name}/metrics.json", metrics(0.5))
    trained = {
        "loss": 0.3,
        "grad_norm": 2.0,
        "grad_norm_max": 3.0,
        "nll": 1.0,
        "logprob_gap": 0.01,
        "logprob_gap_first": 0.001,
    }
    for i, kept in ((1, 8), (2, 0)):
        folder = tmp_path / f"m/r/L8/seed3/iter{i}"
        write_json(folder / "train/filter.json", statistics(kept))
        manifest = {"metrics": trained if kept else None, "copied": not kept, "updates": 4, "tokens_trained": 40}
        manifest["stopped"] = (
            None if kept else {"rule": "length_plateau", "iteration": 1, "message": "as long as before"}
        )
        write_json(folder / "policy.json", manifest)
        for name in ("b", "c"):
            against = {name: estimate(0.1) for name in ("accuracy", "area_under_curve")}
            against["tokens_ratio"] = estimate(0.9)
            write_json(folder / f"eval/{name}/metrics.json", metrics(0.5 + i / 10, against))
    return {
        "results": str(tmp_path),
        "base": {"m": ["b", "c"]},
        "points": [
            {
                "model": "m",
                "recipe": "r",
                "budget": 8,
                "seed": 3,
                "iterations": 2,
                "benchmarks": ["b", "c"],
                "train_temperature": 0.75,
                "updates_per_batch": 6,
                "refresh_every": 2,
            }
        ],
        "sampling": {"b": SAMPLING, "c": {**SAMPLING, "max_tokens": 300}},
    }


def test_a_benchmark_that_was_not_measured_after_an_iteration_has_no_row_for_it(settings):
    settings["points"][0]["every"] = {"c": 2}
    rows, *_ = point_rows(settings)
    assert [row["iteration"] for row in rows if row["benchmark"] == "c"] == [0, 2]
    assert [row["iteration"] for row in rows if row["benchmark"] == "b"] == [0, 1, 2]


def test_the_training_table_has_iterations_that_no_benchmark_measured(settings):
    settings["points"][0]["every"] = {"b": 2, "c": 2}
    points, _, training = point_rows(settings)
    assert [row["iteration"] for row in points if row["recipe"] == "r"] == [2, 2]
    assert [(row["iteration"], row["kept"], row["policy_lag"], row["copied"]) for row in training] == [
        (1, 8, 0, False),
        (2, 0, 1, True),
    ]
    assert "benchmark" not in training[0]


def test_one_row_for_each_point_iteration_and_benchmark_after_those_of_the_base_model(settings):
    points, curves, _ = point_rows(settings)
    keys = [tuple(row[key] for key in KEYS) for row in points]
    assert keys == [
        ("m", "base", None, None, None, 0, "b"),
        ("m", "base", None, None, None, 0, "c"),
        ("m", "r", 8, None, 3, 1, "b"),
        ("m", "r", 8, None, 3, 1, "c"),
        ("m", "r", 7, None, 3, 2, "b"),
        ("m", "r", 7, None, 3, 2, "c"),
    ]
    assert [tuple(row[key] for key in KEYS) for row in curves] == [key for key in keys for _ in range(2)]


def test_a_row_holds_the_estimates_the_sampling_and_the_training(settings):
    row = point_rows(settings)[0][2]
    assert (row["accuracy"], row["accuracy_low"], row["accuracy_high"]) == (0.6, 0.6 - 1, 1.6)
    assert (row["accuracy_diff"], row["tokens_ratio"], row["tokens_ratio_high"]) == (0.1, 0.9, 1.9)
    assert (row["tokens_mean"], row["tokens_low"], row["tokens_median"], row["tokens_mean_wrong"]) == (20, 19, 21, 24)
    assert (row["truncated"], row["answered"], row["area_under_curve"]) == (10, 11, 12)
    assert (row["pass_at_1"], row["pass_at_4"], row["maj_at_4_low"]) == (13, 14, 14)
    assert (row["g_pass_at_4_tau_0.5"], row["g_pass_at_4_tau_1.0_high"], row["mg_pass_at_4"]) == (16, 18, 18)
    assert (row["tokens_to_reach_0.5"], row["tokens_to_reach_0.5_reached"]) == (40, 0.75)
    assert (row["tokens_to_reach_0.9_of_base"], row["tokens_to_reach_0.9_of_base_low"]) == (None, 41)
    assert row["area_under_curve_diff"] == 0.1
    assert (row["problems"], row["samples"], row["max_tokens"], row["temperature"]) == (7, 4, 200, 0.5)
    assert (row["rollouts"], row["kept"], row["kept_share"], row["kept_tokens_mean"]) == (16, 8, 0.5, 5.0)
    assert (row["train_entropy"], row["kept_duplicates"], row["grad_norm"], row["grad_norm_max"]) == (
        1.5,
        0.75,
        2.0,
        3.0,
    )
    assert (row["prompts_all_right"], row["prompts_all_wrong"], row["nll"], row["logprob_gap"]) == (0.1, 0.2, 1.0, 0.01)
    assert (row["train_accuracy"], row["train_truncated"], row["train_tokens_mean"]) == (0.5, 0.25, 9.0)
    assert (row["copied"], row["updates"], row["tokens_trained"], row["logprob_gap_first"]) == (False, 4, 40, 0.001)
    assert (row["train_temperature"], row["updates_per_batch"]) == (0.75, 6)


def test_a_row_says_how_many_iterations_older_the_sampled_policy_was(settings):
    assert [row.get("policy_lag") for row in point_rows(settings)[0]] == [None, None, 0, 0, 1, 1]


def test_the_rows_of_a_schedule_have_its_name_and_the_budget_of_their_iteration(settings, tmp_path):
    (tmp_path / "m/r/L8").rename(tmp_path / "m/r/L-tighten")
    settings["points"][0]["budget"] = "tighten"
    rows = point_rows(settings)[0]
    assert [(row["budget"], row["schedule"]) for row in rows[2:]] == [(8, "tighten")] * 2 + [(7, "tighten")] * 2


def test_accuracy_per_1000_tokens_stands_beside_the_accuracy(settings):
    columns = list(point_rows(settings)[0][2])
    assert columns[columns.index("accuracy_high") + 1] == "accuracy_per_1000_tokens"


def test_each_benchmark_has_its_own_cap(settings):
    assert [row["max_tokens"] for row in point_rows(settings)[0]] == [200, 300] * 3


def test_the_base_model_has_no_difference_and_no_training(settings):
    row = point_rows(settings)[0][0]
    assert row["accuracy"] == 0.5
    assert (row["accuracy_diff"], row["tokens_ratio"], row["tokens_ratio_low"]) == (None, None, None)
    assert "loss" not in row
    assert "train_temperature" not in row
    assert "kept" not in row


def test_a_copied_policy_has_no_loss(settings):
    row = point_rows(settings)[0][4]
    assert (row["copied"], row["kept"], row["kept_tokens_mean"], row["loss"], row["grad_norm"]) == (
        True,
        0,
        None,
        None,
        None,
    )


def test_a_stopped_policy_says_why(settings):
    rows = point_rows(settings)[0]
    found = [(row["stopped"], row["stopped_after"], row["stopped_because"]) for row in (rows[2], rows[4])]
    assert found == [(None, None, None), ("length_plateau", 1, "as long as before")]


def test_the_curve_of_a_row(settings):
    _, curves, _ = point_rows(settings)
    assert curves[0] == {
        **dict(zip(KEYS, ("m", "base", None, None, None, 0, "b"), strict=True)),
        "tokens": 2,
        "accuracy": 30,
        "accuracy_low": 29,
        "accuracy_high": 31,
    }
    assert [entry["tokens"] for entry in curves[:4]] == [2, 4, 2, 4]
