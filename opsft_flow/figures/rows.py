"""The rows of a table that a figure draws: measures as floats, shares and accuracies in percent, points as ways from the base model."""

import pandas as pd

ACCURACY = ["accuracy", "accuracy_low", "accuracy_high"]
TOKENS = ["tokens_mean", "tokens_low", "tokens_high"]
PANEL = ["model", "benchmark"]
POINT = ["recipe", "arm", "seed"]


def with_measures(table: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """A copy in which every measure is there, as floats (absent is NaN), shares and accuracies in percent.

    `arm` is what tells the points of a recipe apart, but for the seed: the budget or its schedule, in words.
    """
    wanted = ["schedule", *measures]
    table = table.reindex(columns=[*table.columns, *(name for name in wanted if name not in table)])
    table[["iteration", "budget", *measures]] = table[["iteration", "budget", *measures]].astype(float)
    fractions = [name for name in measures if name in (*ACCURACY, "kept_share")]
    table[fractions] *= 100
    constant = table["budget"].map("budget {:.0f}".format)
    table["arm"] = table["schedule"].astype(object).where(table["schedule"].notna(), constant)
    return table


def base_rows(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["recipe"] == "base"]


def without_base(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["recipe"] != "base"]


def trajectories(panel: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """(recipe, arm, rows by iteration) of every point; the rows start with the base model's, if there is one."""
    return [
        (recipe, arm, pd.concat([base_rows(panel), rows.sort_values("iteration")]))
        for (recipe, arm, _), rows in without_base(panel).groupby(POINT, dropna=False)
    ]
