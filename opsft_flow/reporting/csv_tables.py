"""The tables of the sweep, read back from the CSV files that other nodes have written."""

import os

import pandas

from opsft_flow.integrity import Damaged, check_result, remedy_of

NAMES = ("model", "benchmark", "recipe", "first_recipe", "second_recipe", "schedule")
BUDGETS = ("budget", "first_budget", "second_budget")


def read_csv_table(path: str | os.PathLike) -> pandas.DataFrame:
    """A table in which every name is the text that it was, a model `7` or a recipe `NA` too, and every seed the whole number;
    an empty cell is missing. Raises Damaged where the file is not what was written."""
    check_result(path)
    try:
        return pandas.read_csv(
            path,
            dtype={**dict.fromkeys(NAMES, str), "seed": "Int64"},
            converters=dict.fromkeys(BUDGETS, as_budget),
            keep_default_na=False,
            na_values=[""],
        )
    except ValueError as error:
        raise Damaged(f"{path}: no table: {error}. {remedy_of(path)}") from None


def as_budget(cell: str) -> int | str | float:
    """A number of tokens, or the name of a schedule, which is never of digits alone; NaN for an empty cell."""
    return int(cell) if cell.isdigit() else cell or float("nan")
