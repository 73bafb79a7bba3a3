"""Budget schedules: the cap on a response's length, in tokens, in each iteration.

    constant   L_i = L
    steps      L_i = B_k with k = min((i - 1) // m, K - 1), for budgets B_0 ... B_{K-1} of m iterations each (ThinkPrune, arXiv 2504.01296)
    quantile   L_1 = start, L_{i+1} = max(floor, Q_q{tokens_j : j right and finished in iteration i}); L_i where nothing is right, or where
               a share of at least `most_truncated` of all responses was cut off at L_i

A schedule is a dict with its `kind` and the keys named here: `budget`; `budgets` and `iterations`; `start`, `floor`, `quantile` and `most_truncated`.
"""

import math
from collections.abc import Sequence


def planned_budget(schedule: dict, iteration: int) -> int | None:
    """The budget of iteration 1, 2, ..., or None where it is known only when the one before has been measured."""
    if schedule["kind"] == "constant":
        return schedule["budget"]
    if schedule["kind"] == "steps":
        step = (iteration - 1) // schedule["iterations"]
        return schedule["budgets"][min(step, len(schedule["budgets"]) - 1)]
    return schedule["start"] if iteration == 1 else None


def largest_budget(schedule: dict) -> int:
    """The largest budget of any iteration; a quantile of responses under a budget never exceeds it."""
    if schedule["kind"] == "steps":
        return max(schedule["budgets"])
    return schedule["budget"] if schedule["kind"] == "constant" else schedule["start"]


def next_budget(schedule: dict, budget: int, right_tokens: Sequence[int], truncated: float) -> int:
    """The budget after an iteration with `budget`, by a quantile schedule; `right_tokens` are the lengths of its right responses.

    `truncated` is the share of all its responses that were cut off at the budget. Lengths that were cut off tell of the budget and not of
    the policy: their quantile is below the budget however long the policy thinks. So the budget stays until the policy has come below it.
    The quantile is one of the lengths: the least that a share of at least `quantile` of them does not exceed.
    """
    most = 1 - schedule["quantile"] if schedule["most_truncated"] is None else schedule["most_truncated"]
    if len(right_tokens) == 0 or truncated >= most > 0:
        return budget
    # 0.07 * 100 is a little more than 7; what rounding has added is no reason to take the next length.
    rank = max(1, math.ceil(schedule["quantile"] * len(right_tokens) - 1e-9))
    return max(schedule["floor"], int(sorted(right_tokens)[rank - 1]))
