"""What a sweep found, in one line for each model and benchmark: the shortest policies whose accuracy is not shown to be below the base model's."""

from collections.abc import Callable

import pandas


def headline(
    cuts: pandas.DataFrame, name_of: Callable[[pandas.Series], str], told: Callable[[pandas.Series], str]
) -> str:
    """Markdown, a list. `name_of` names a recipe with its budget, and `told` says how it differs from the base model.

    A recipe and budget of which no seed was updated once is the base model, and no candidate.
    """
    last = cuts[cuts["cut"].isna()]
    groups = last.groupby(["model", "benchmark"], sort=False)
    return "\n".join(
        f"- **{model} on {benchmark}**: {best_of(rows, name_of, told)}" for (model, benchmark), rows in groups
    )


def best_of(last: pandas.DataFrame, name_of: Callable, told: Callable) -> str:
    """What is best of the last iterations of all recipes and budgets of one model on one benchmark."""
    trained = last[last["updates"] != 0]
    if trained.empty:
        return (
            "nothing was trained: no response survived the filter in any iteration, and every policy is the base model."
        )
    if trained["accuracy_diff_high"].isna().all():
        return "without an interval no loss can be told from chance."
    sound = trained[(trained["accuracy_diff_high"] >= 0) & (trained["tokens_ratio"] < 1)]
    if sound.empty:
        return "no policy became shorter without a loss of accuracy that is shown."
    best = sound.sort_values("tokens_ratio", kind="stable").iloc[0]
    return f"shortest at no loss shown is {name_of(best)}: {told(best)}."
