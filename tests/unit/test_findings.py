"""The sentences of a sweep, from tables that are made by hand."""

import pandas
import pytest

from opsft_flow.reporting.contrasts import CONTRAST_COLUMNS
from opsft_flow.reporting.costs import COST_COLUMNS
from opsft_flow.reporting.csv_tables import read_csv_table
from opsft_flow.reporting.cuts import CUT_COLUMNS
from opsft_flow.reporting.findings import differences, findings

DIFFERENCE = {"accuracy_diff": -0.01, "accuracy_diff_low": -0.035, "accuracy_diff_high": 0.014}
DIFFERENCE |= {"tokens_ratio": 0.54, "tokens_ratio_low": 0.53, "tokens_ratio_high": 0.55}
CURVE = {"curve_budgets": 16, "curve_above": 9, "curve_below": 0, "curve_lowest_at": 512}
CURVE |= {"curve_lowest": -0.01, "curve_lowest_low": -0.035, "curve_lowest_high": 0.014}
WHOLE_NUMBERS = ["seeds", "iteration", "problems", "samples", "seed"]
SPENT = {"rollouts": 2560, "tokens_sampled": 350_000, "updates": 8, "tokens_trained": 30_000}


@pytest.fixture
def tables():
    base = {"model": "m", "benchmark": "b", "recipe": "base", "problems": 1319, "samples": 1, "temperature": 0.0}
    base |= {"max_tokens": 512, "accuracy": 0.277, "accuracy_low": 0.253, "accuracy_high": 0.301, "tokens_mean": 290.4}
    cell = {"model": "m", "benchmark": "b", "recipe": "r", "budget": 150, "seeds": 3}
    reached = {**cell, "iteration": 3, **DIFFERENCE, **CURVE, **SPENT}
    cuts = [
        {**reached, "cut": 0.2},
        {**reached, "cut": 0.4},
        {**cell, "cut": 0.6},
        {**cell, "cut": 0.8},
        {**reached, "cut": None},
    ]
    sides = {"first_recipe": "r", "first_budget": 150, "second_recipe": "stale", "second_budget": 150}
    contrasts = [{"model": "m", "benchmark": "b", **sides, **DIFFERENCE, **CURVE}]
    costs = [
        {
            "model": "m",
            "recipe": "r",
            "budget": 150,
            "seed": seed,
            "iteration": i,
            "training_seconds": 60.0 * i + seed,
            "gpu_seconds": 30.0 * i,
        }
        for seed in (0, 6)
        for i in (1, 2, 3)
    ]
    return (
        pandas.DataFrame([base]),
        pandas.DataFrame(cuts, columns=CUT_COLUMNS),
        pandas.DataFrame(contrasts, columns=CONTRAST_COLUMNS),
        pandas.DataFrame(costs, columns=COST_COLUMNS),
    )


def test_what_was_found_is_said_with_its_intervals(tables):
    assert findings(*tables).splitlines() == [
        "# What the sweep found",
        "",
        "- **m on b**: shortest at no loss shown is r, budget 150: tokens -46% [-47%, -45%], accuracy -1.0 points [-3.5, +1.4]: no difference shown.",
        "",
        "## m on b",
        "",
        "1,319 problems, 1 sample each, at temperature 0, at most 512 tokens. Base model: 27.7% [25.3%, 30.1%] at 290.4 tokens.",
        "",
        "- **r, budget 150** (3 seeds), after iteration 3: tokens -46% [-47%, -45%], accuracy -1.0 points [-3.5, +1.4]: no difference "
        "shown. Its budget curve is higher at 9 and lower at 0 of 16 budgets; the least is -1.0 points [-3.5, +1.4] at 512 tokens. "
        "-20%, -40% after iteration 3 (2,560 rollouts, 350,000 tokens sampled, 30,000 trained on, 3.0 min of training nodes, 1.5 min of them on "
        "GPUs a seed): tokens -46% [-47%, -45%], accuracy -1.0 points [-3.5, +1.4]: no difference shown. Not reached: -60%, -80%.",
        "",
        "- budget 150: **stale** against r: tokens -46% [-47%, -45%], accuracy -1.0 points [-3.5, +1.4]: no difference shown. Its "
        "budget curve is higher at 9 and lower at 0 of 16 budgets; the least is -1.0 points [-3.5, +1.4] at 512 tokens.",
    ]


def test_a_policy_without_one_update_is_no_candidate(tables):
    """Where nothing has survived the filter it is a copy of the base model, as short and as right."""
    points, cuts, *others = tables
    worse = cuts.assign(recipe="worse", tokens_ratio=0.5, accuracy_diff_high=-0.001)
    longer = cuts.assign(recipe="longer", tokens_ratio=1.1)
    copied = cuts.assign(recipe="copied", updates=0, tokens_ratio=0.01)
    for parts, told in (
        ([worse, longer, copied, cuts], "shortest at no loss shown is r, budget 150: tokens -46%"),
        ([worse, longer, copied], "no policy became shorter without a loss"),
        ([copied], "nothing was trained: no response survived the filter in any iteration"),
    ):
        found = findings(points, pandas.concat(parts), *others)
        assert f"- **m on b**: {told}" in found
        assert found.count("Nothing survived the filter: this is the base model, without one update.") == 1


@pytest.mark.parametrize("name", ["7", "1.5", "01", "null", "NA"])
def test_names_that_look_like_numbers_or_nothing_keep_their_findings(tables, tmp_path, name):
    """As recipe and schedule beside others, and of all models."""

    def renamed(table: pandas.DataFrame) -> pandas.DataFrame:
        table = table.replace({"recipe": {"r": name}, "second_recipe": {"stale": name}})
        if "cut" in table:
            table = pandas.concat([table, table.assign(budget=f"{name}e5")])
        return table.assign(model=name).astype({column: "Int64" for column in WHOLE_NUMBERS if column in table})

    points, *others = map(renamed, tables)
    costs = others[-1]
    others[-1] = pandas.concat([costs, costs.assign(schedule=f"{name}e5", budget=pandas.NA)])
    for number, table in enumerate(others):
        table.to_csv(tmp_path / f"{number}.csv", index=False)
    told = findings(points, *(read_csv_table(tmp_path / f"{number}.csv") for number in range(len(others))))
    assert told == findings(points, *others)
    assert told.count(f"- **{name}, ") == told.count("min of training nodes") == 2
    assert f"- budget 150: **{name}** against r" in told


def test_an_empty_cell_stays_a_missing_name_and_budgets_stay_numbers(tmp_path):
    (tmp_path / "curves.csv").write_text("model,recipe,budget,schedule\n7,base,,\n7,NA,150,\n")
    table = read_csv_table(tmp_path / "curves.csv")
    assert table["model"].tolist() == ["7", "7"]
    assert table["recipe"].tolist() == ["base", "NA"]
    assert table["budget"].dtype == float
    assert table.isna().to_numpy().tolist() == [[False, False, True, True], [False, False, False, True]]


def test_a_schedule_finds_its_costs_by_its_name(tables):
    points, cuts, contrasts, costs = tables
    costs = costs.assign(schedule="usual", budget=None)
    assert "min of training nodes" in findings(points, cuts.assign(budget="usual"), contrasts, costs)
    assert "min of training nodes" not in findings(points, cuts, contrasts, costs)


@pytest.mark.parametrize(
    ("low", "high", "shown"), [(0.001, 0.02, "higher"), (-0.02, -0.001, "lower"), (0.0, 0.02, "no difference shown")]
)
def test_a_difference_is_shown_where_the_interval_leaves_out_zero(low, high, shown):
    row = pandas.Series({**DIFFERENCE, "accuracy_diff_low": low, "accuracy_diff_high": high})
    assert differences(row).endswith(f": {shown}")


def test_without_an_interval_nothing_is_claimed(tables):
    ends = [
        f"{name}_{end}"
        for name in ("accuracy", "accuracy_diff", "tokens_ratio", "curve_lowest")
        for end in ("low", "high")
    ]
    points, cuts, contrasts, costs = tables
    points, cuts, contrasts = (
        table.assign(**{end: float("nan") for end in ends if end in table}) for table in (points, cuts, contrasts)
    )
    told = findings(points, cuts, contrasts, costs)
    assert "Base model: 27.7% (no interval) at 290.4 tokens." in told
    assert (
        "tokens -46% (no interval), accuracy -1.0 points (no interval). The least of its budget curve is "
        "-1.0 points (no interval) at 512 tokens." in told
    )
    assert not any(claim in told for claim in ("nan", "shown", "higher", "lower"))
