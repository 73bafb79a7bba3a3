"""The table that compares each two recipes under the same budget, and each two budgets of the same recipe, all seeds together."""

import itertools

from opsft.estimators.bootstrap import Resampling
from opsft.estimators.budget_curve import default_budgets
from opsft.estimators.contrast import Contrast, contrast, resample_group
from opsft.estimators.responses import Responses
from opsft_flow.reporting.comparisons import Group
from opsft_flow.reporting.summary import estimate_columns

SIDE = ("recipe", "budget", "seeds", "iteration")
CURVE_COLUMNS = [
    *("curve_budgets", "curve_above", "curve_below", "curve_lowest_at"),
    *(f"curve_lowest{end}" for end in ("", "_low", "_high")),
]
DIFFERENCES = [f"{name}{end}" for name in ("accuracy_diff", "tokens_ratio") for end in ("", "_low", "_high")]
CONTRAST_COLUMNS = [
    *("model", "benchmark"),
    *(f"{side}_{name}" for side in ("first", "second") for name in SIDE),
    *DIFFERENCES,
    *CURVE_COLUMNS,
]


def contrast_rows(group: Group, budgets: list[int] | None, resampling: Resampling) -> list[dict]:
    """A row for each two that differ in the recipe alone or in the budget alone: the second against the first, each after its last iteration.

    `budgets` are the cut-offs of the curve, None for `default_budgets`.
    """
    seeds: dict[tuple, list[tuple[int, Responses]]] = {}
    for point, measured in group.points.items():
        seeds.setdefault((point.recipe, point.budget), []).append(measured)
    cutoffs = tuple(budgets or default_budgets(group.base.max_tokens))
    rows = []
    # Each with a stream of its own: equal numbers of seeds would be drawn alike.
    drawn = {
        cell: resample_group([r for _, r in measured], group.base.problem_ids, cutoffs, resampling, (number,))
        for number, (cell, measured) in enumerate(seeds.items())
    }
    for (first, before), (second, after) in itertools.combinations(seeds.items(), 2):
        if (first[0] == second[0]) != (first[1] == second[1]):
            found = contrast(drawn[first], drawn[second], resampling.level)
            sides = {**side_columns("first", first, before), **side_columns("second", second, after)}
            head = {"model": group.model, "benchmark": group.benchmark}
            rows.append({**head, **sides, **difference_columns(found, cutoffs)})
    return rows


def side_columns(side: str, cell: tuple[str, int | str], measured: list[tuple[int, Responses]]) -> dict:
    values = (*cell, len(measured), measured[0][0])
    return {f"{side}_{name}": value for name, value in zip(SIDE, values, strict=True)}


def difference_columns(found: Contrast, budgets: tuple[int, ...]) -> dict:
    """Both differences; at how many budgets the curve is above the first's or below, beyond the interval; and where it is lowest."""
    lowest = min(range(len(budgets)), key=lambda i: found.curve[i].value)
    return {
        **estimate_columns("accuracy_diff", vars(found.accuracy)),
        **estimate_columns("tokens_ratio", vars(found.tokens_ratio)),
        "curve_budgets": len(budgets),
        "curve_above": sum(gain.low > 0 for gain in found.curve),
        "curve_below": sum(gain.high < 0 for gain in found.curve),
        "curve_lowest_at": budgets[lowest],
        **estimate_columns("curve_lowest", vars(found.curve[lowest])),
    }
