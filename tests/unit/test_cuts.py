"""How soon how much shorter, from a results tree that is made by hand."""

import importlib.util
import json
import pathlib

import pandas
import pytest

from opsft.estimators.bootstrap import Resampling
from opsft_flow.files import write_json
from opsft_flow.reporting.comparisons import PAIR_COLUMNS, read_groups
from opsft_flow.reporting.contrasts import CONTRAST_COLUMNS, contrast_rows
from opsft_flow.reporting.cuts import CUT_COLUMNS, Cell, cut_rows
from tests.unit.graded_place import write_place

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "workflow" / "scripts" / "compare.py"
TOKENS = {("usual", 0): (50, 40, 20), ("usual", 1): (70, 50, 24), (16, 0): (95, 90, 85)}
"""Mean tokens after iterations 1, 2 and 3 of each point; the base model takes 100."""


def write_batch(folder, rollouts: int, tokens: float | None, copied: bool, trainings: int) -> None:
    """What filter and sft leave of one iteration; the manifest's counts are those of all `trainings` since the base model, as in a real one."""
    before = dict.fromkeys(("accuracy", "truncated", "entropy", "prompts_all_right", "prompts_all_wrong"), 0.5)
    statistics = {
        "budget": 24,
        "rollouts": rollouts,
        "kept": 1,
        "kept_share": 0.1,
        "before": {**before, "tokens_mean": tokens},
    }
    write_json(folder / "train/filter.json", {**statistics, "after": {"tokens_mean": 10, "duplicates": 0}})
    trained = {"updates": 2 * trainings, "tokens_trained": 30 * trainings}
    write_json(folder / "policy.json", {"metrics": None, "stopped": None, "copied": copied, **trained})


@pytest.fixture
def settings(tmp_path):
    """Two budgets, one a schedule with two seeds, three iterations, on three problems of which the base model solves two."""
    write_place(tmp_path / "m/base/eval/b", [(p, 0, 100, True, p != "c") for p in "abc"])
    blocks = []
    for (budget, seed), lengths in TOKENS.items():
        folder = tmp_path / f"m/r/L{'-' if isinstance(budget, str) else ''}{budget}/seed{seed}"
        for i, tokens in enumerate(lengths, start=1):
            write_place(folder / f"iter{i}/eval/b", [(p, 0, tokens, True, p == "a" or i < 3) for p in "abc"])
            write_batch(folder / f"iter{i}", rollouts=8, tokens=12.5, copied=i == 1, trainings=i - 1)
        blocks.append(
            {"model": "m", "recipe": "r", "budget": budget, "seed": seed, "iterations": 3, "benchmarks": ["b"]}
        )
    common = {"base": {"m": ["b"]}, "max_tokens": {"b": 128}, "budgets": [25, 60, 128], "cuts": [0.2, 0.4, 0.6, 0.8]}
    resampling = {"resamples": 100, "level": 0.95, "seed": 0}
    return {"results": str(tmp_path), "points": blocks, **common, "resampling": resampling}


@pytest.fixture
def points():
    rows = [("base", None, None, None, 0, 100.0)]
    for (budget, seed), lengths in TOKENS.items():
        schedule = budget if isinstance(budget, str) else None
        # A schedule's budget is that of the iteration, and may be the number that another point has for good.
        rows += [("r", 16, schedule, seed, i, float(tokens)) for i, tokens in enumerate(lengths, start=1)]
    table = pandas.DataFrame(rows, columns=["recipe", "budget", "schedule", "seed", "iteration", "tokens_mean"])
    return table.assign(model="m", benchmark="b")


def by_cut(rows: list[dict], budget: object) -> dict:
    return {row["cut"]: row for row in rows if row["budget"] == budget}


def test_the_iteration_is_the_first_at_which_the_mean_over_the_seeds_is_short_enough(settings, points):
    rows = by_cut(cut_rows(settings, points), "usual")
    # Means of 60, 45 and 22 tokens: exactly 40% are gone after the first iteration.
    assert {cut: row["iteration"] for cut, row in rows.items()} == {0.2: 1, 0.4: 1, 0.6: 3, 0.8: None, None: 3}
    assert rows[0.6]["tokens_ratio"] == pytest.approx(0.22)
    assert set(rows[0.8]) == {"model", "recipe", "budget", "benchmark", "seeds", "cut", "iteration"}


@pytest.mark.parametrize("cut", [0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
def test_a_cut_that_is_just_reached_counts(cut):
    lengths = {0: 100.0, 1: round(100 * (1 - cut)) + 0.001, 2: float(round(100 * (1 - cut)))}
    assert Cell([], "b", lengths).reached(cut) == 2


def test_accuracy_and_what_it_took_are_those_of_that_iteration(settings, points):
    rows = by_cut(cut_rows(settings, points), "usual")
    assert (rows[0.4]["accuracy"], rows[0.6]["accuracy"]) == pytest.approx((1, 1 / 3))
    assert (rows[0.4]["accuracy_diff"], rows[0.6]["accuracy_diff"]) == pytest.approx((1 / 3, -1 / 3))
    spent = [
        [rows[cut][name] for name in ("rollouts", "tokens_sampled", "updates", "tokens_trained")] for cut in (0.4, 0.6)
    ]
    # The first iteration's policy was copied: sampled for, not trained.
    assert spent == [[8, 100, 0, 0], [24, 300, 4, 60]]
    assert all(set(row) <= set(CUT_COLUMNS) for row in rows.values())


def test_an_iteration_after_a_stop_took_nothing(settings, points, tmp_path):
    # Seed 1 goes on; what the two took is averaged.
    write_batch(tmp_path / "m/r/L-usual/seed0/iter3", rollouts=0, tokens=None, copied=True, trainings=1)
    rows = by_cut(cut_rows(settings, points), "usual")
    assert [rows[0.6][name] for name in ("rollouts", "tokens_sampled", "updates", "tokens_trained")] == [20, 250, 3, 45]


def test_a_constant_budget_is_not_mistaken_for_an_iteration_of_a_schedule(settings, points):
    rows = by_cut(cut_rows(settings, points), 16)
    assert (rows[None]["seeds"], rows[None]["iteration"], rows[None]["tokens_mean"]) == (1, 3, 85)
    assert [rows[cut]["iteration"] for cut in (0.2, 0.4)] == [None, None]


def test_the_curve_says_where_it_is_above_and_where_lowest(settings, points):
    row = by_cut(cut_rows(settings, points), "usual")[0.6]
    # 20 and 24 tokens against 100: all of "a" at 25 and 60 tokens, where the base model has none; at 128 it lacks "b".
    assert (row["curve_budgets"], row["curve_lowest_at"]) == (3, 128)
    assert row["curve_lowest"] == pytest.approx(-1 / 3)


def test_budgets_of_one_recipe_are_compared_with_all_their_seeds(settings):
    (group,) = read_groups(settings)
    (row,) = contrast_rows(group, settings["budgets"], Resampling(resamples=100))
    assert (row["first_budget"], row["first_seeds"], row["second_budget"], row["second_seeds"]) == ("usual", 2, 16, 1)
    assert row["tokens_ratio"] == pytest.approx(85 / 22)
    assert row["accuracy_diff"] == 0
    assert list(row) == CONTRAST_COLUMNS


def test_two_that_differ_in_both_recipe_and_budget_are_not_compared(settings, tmp_path):
    (tmp_path / "m/other").mkdir()
    (tmp_path / "m/r/L16").rename(tmp_path / "m/other/L16")
    settings["points"][-1]["recipe"] = "other"
    (group,) = read_groups(settings)
    assert contrast_rows(group, None, Resampling(resamples=10)) == []


def test_the_node_writes_all_tables_and_a_heading_where_nothing_is_compared(settings, points, tmp_path, monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, "1")
    settings["points"] = settings["points"][-1:]
    points.to_parquet(tmp_path / "points")
    files = {name: str(tmp_path / name) for name in ("points", "pairs", "recipes", "contrasts", "cuts", "run")}
    options = [text for name, file in files.items() for text in (f"--{name}", file)]
    monkeypatch.setattr("sys.argv", ["compare.py", "--settings", json.dumps(settings), *options])
    spec = importlib.util.spec_from_file_location("script_compare", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main()
    tables = {name: pandas.read_csv(files[name]) for name in ("pairs", "recipes", "contrasts", "cuts")}
    assert tables["pairs"].columns.tolist() == PAIR_COLUMNS
    assert tables["contrasts"].columns.tolist() == CONTRAST_COLUMNS
    assert tables["recipes"]["accuracy"].tolist() == pytest.approx([1 / 3])
    assert tables["cuts"]["cut"].isna().tolist() == [False] * 4 + [True]
