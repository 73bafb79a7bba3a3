"""Selection rules: which rollouts of a batch become training examples, and with which weight.

A rule is a module found by its name, with one pure function over the rollouts of one prompt:

    select(group: Group, budget: int, options: dict) -> list[tuple[int, float]]

that returns (position in the group, weight) pairs. Every rule here is deterministic and does not depend on the order of the rows.
"""

import importlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Group:
    """The n responses to one prompt, in the order of their sample index.

    `correct` [n]: right and finished. `matched` [n]: right, finished or not. `finished` [n]: ended by itself.
    `tokens` [n]: length with the end token.
    """

    correct: np.ndarray
    matched: np.ndarray
    finished: np.ndarray
    tokens: np.ndarray


def select(rule: str, groups: dict[str, Group], budget: int, options: dict) -> dict[str, list[tuple[int, float]]]:
    """Apply `rule` to every group: for each key its kept (position, weight) pairs, by position.

    Raises ValueError where a rule returns a position twice or outside its group, or a weight that is not finite and positive.
    """
    function = importlib.import_module(f"opsft.selection.{rule}").select
    kept = {key: sorted(function(group, budget, options)) for key, group in sorted(groups.items())}
    for key, pairs in kept.items():
        positions = [position for position, _ in pairs]
        if len(set(positions)) < len(positions) or not all(0 <= p < len(groups[key].tokens) for p in positions):
            raise ValueError(
                f"rule {rule!r} returned positions {positions} for the {len(groups[key].tokens)} rollouts of {key}"
            )
        if not all(np.isfinite(weight) and weight > 0 for _, weight in pairs):
            raise ValueError(f"rule {rule!r} returned a weight that is not finite and positive for {key}: {pairs}")
    return kept
