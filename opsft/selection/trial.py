"""Selection rules on made-up rollouts, so that a mistake in one of the user's own shows before anything is sampled."""

from collections.abc import Sequence

import numpy as np

from opsft.selection.interface import Group, select

BUDGET = 100


def made_up(correct: list[bool], finished: list[bool], tokens: list[int]) -> Group:
    """Right answers count as correct where the response has finished."""
    right, ended = np.array(correct, dtype=bool), np.array(finished, dtype=bool)
    return Group(right & ended, right, ended, np.array(tokens, dtype=np.int64))


GROUPS = {
    "a made-up prompt, some of four right": made_up(
        [True, True, False, True], [True, True, True, False], [40, 90, 60, 100]
    ),
    "a made-up prompt, all right and equally long": made_up([True] * 3, [True] * 3, [50] * 3),
    "a made-up prompt, none right": made_up([False] * 2, [True, False], [30, 100]),
    "a made-up prompt, one response": made_up([True], [True], [1]),
}


def try_rules(rules: Sequence[tuple[str, dict]]) -> None:
    """Apply (name, options) `rules` in turn to made-up prompts. Raises ValueError that names the rule, as `select` does."""
    select(rules, GROUPS, BUDGET, seed=(0, 1))
