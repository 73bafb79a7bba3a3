"""The tables that compare points, from a results tree that is made by hand."""

import pathlib

import pytest

from opsft_flow.reporting.comparisons import PAIR_COLUMNS, pair_rows, read_groups, recipe_rows
from tests.unit.graded_place import write_place

RESAMPLING = {"resamples": 200, "level": 0.95, "seed": 0}


def write(folder: pathlib.Path, tokens: int, right: tuple[str, ...]) -> None:
    """Three problems, one response each of `tokens` tokens; those of `right` are right."""
    write_place(folder, [(problem, 0, tokens, True, problem in right) for problem in "abc"])


@pytest.fixture
def settings(tmp_path):
    """One model, two budgets, of which the first has two seeds; only the last of two iterations is there to be read."""
    write(tmp_path / "m/base/eval/b", 50, ("a",))
    points = []
    for budget, seed, tokens, right in ((8, 0, 20, "ab"), (8, 1, 30, "a"), (16, 0, 40, "abc")):
        write(tmp_path / f"m/r/L{budget}/seed{seed}/iter2/eval/b", tokens, tuple(right))
        block = {"model": "m", "recipe": "r", "budget": budget, "seed": seed, "iterations": 2, "benchmarks": ["b"]}
        points.append(block)
    return {
        "results": str(tmp_path),
        "points": points,
        "base": {"m": ["b"]},
        "max_tokens": {"b": 60},
        "resampling": RESAMPLING,
    }


def test_one_row_for_each_two_points(settings):
    (group,) = read_groups(settings)
    rows = pair_rows(group, RESAMPLING)
    names = [tuple(row[f"{side}_{key}"] for side in ("first", "second") for key in ("budget", "seed")) for row in rows]
    assert names == [(8, 0, 8, 1), (8, 0, 16, 0), (8, 1, 16, 0)]
    assert all(list(row) == PAIR_COLUMNS for row in rows)
    row = rows[1]
    assert (row["model"], row["benchmark"], row["first_recipe"], row["first_iteration"]) == ("m", "b", "r", 2)
    assert (row["first_accuracy"], row["second_accuracy"]) == pytest.approx((2 / 3, 1))
    assert (row["accuracy_diff"], row["tokens_ratio"]) == pytest.approx((1 / 3, 2))
    assert row["accuracy_diff_low"] == 0


def test_one_row_for_each_recipe_and_budget(settings):
    (group,) = read_groups(settings)
    rows = recipe_rows(group, RESAMPLING)
    assert [(row["budget"], row["seeds"], row["iteration"], row["problems"]) for row in rows] == [
        (8, 2, 2, 3),
        (16, 1, 2, 3),
    ]
    first = rows[0]
    assert (first["accuracy"], first["tokens_mean"]) == pytest.approx((1 / 2, 25))
    assert (first["accuracy_diff"], first["tokens_ratio"]) == pytest.approx((1 / 2 - 1 / 3, 1 / 2))
    assert first["accuracy_per_1000_tokens"] == pytest.approx(20)
    names = list(first)
    assert names[names.index("accuracy_high") + 1] == "accuracy_per_1000_tokens"


def test_points_that_are_not_measured_on_a_benchmark_are_not_in_its_rows(settings, tmp_path):
    write(tmp_path / "m/base/eval/c", 50, ("a",))
    write(tmp_path / "m/r/L16/seed0/iter2/eval/c", 25, ("a",))
    settings["base"]["m"].append("c")
    settings["max_tokens"]["c"] = 50
    settings["points"][2]["benchmarks"].append("c")
    _, group = read_groups(settings)
    assert pair_rows(group, RESAMPLING) == []
    assert [(row["benchmark"], row["tokens_ratio"]) for row in recipe_rows(group, RESAMPLING)] == [("c", 0.5)]


def test_the_seeds_of_a_schedule_are_pooled_beside_those_of_a_budget(settings, tmp_path):
    write(tmp_path / "m/r/L-falling/seed0/iter2/eval/b", 25, ("a", "b", "c"))
    settings["points"].insert(0, {**settings["points"][0], "budget": "falling"})
    (group,) = read_groups(settings)
    rows = recipe_rows(group, RESAMPLING)
    assert [(row["budget"], row["seeds"], row["tokens_mean"]) for row in rows] == [
        (8, 2, 25),
        (16, 1, 40),
        ("falling", 1, 25),
    ]
