"""`shortest_k`: of each prompt, the k shortest responses that are right, finished and within the budget.

    w_i = 1 if i is among the k first of {j : correct_j, tokens_j <= L} by (tokens_j, j), else 0

k = 1 keeps the shortest right answer alone (CRST); larger k is close to GFPO's filter by length. Ties go to the lower
sample index.
"""

import numpy as np

from opsft.selection.interface import Group


def select(group: Group, budget: int, options: dict) -> list[tuple[int, float]]:
    kept = np.flatnonzero(group.correct & group.finished & (group.tokens <= budget))
    by_length = kept[np.argsort(group.tokens[kept], kind="stable")]
    return [(int(i), 1.0) for i in by_length[: options["k"]]]
