"""Selection rules: which rollouts of a batch become training examples, and with which weight.

A rule is a module of this package, or a function of the user's own (`package.module:function`), that looks at the rollouts of one prompt:

    select(group: Group, budget: int, options: dict, rng: random.Random) -> array of n weights

and returns the weight of each; 0 drops it. Rules can be applied in turn: each chooses among what those before it have kept, though it
sees the whole group, and the weights multiply. No rule depends on the order of the rows. One that draws takes `rng`, which is
seeded by the prompt: so its draw depends on no other prompt.
"""

import importlib
import random
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Group:
    """The n responses to one prompt, in the order of their sample index.

    `correct` [n]: right and finished. `matched` [n]: right, finished or not. `finished` [n]: ended by itself.
    `tokens` [n]: length with the end token. `candidates` [n]: what the rules before have kept; at first, all.
    """

    correct: np.ndarray
    matched: np.ndarray
    finished: np.ndarray
    tokens: np.ndarray
    candidates: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.candidates is None:
            object.__setattr__(self, "candidates", np.ones(len(self.tokens), dtype=bool))

    def within(self, budget: int) -> np.ndarray:
        """[n]: the candidates that are right, finished and at most `budget` tokens long."""
        return self.candidates & self.correct & self.finished & (self.tokens <= budget)

    def shortest_within(self, budget: int) -> np.ndarray:
        """Positions of `within`, the shortest first; ties go to the lower sample index."""
        positions = np.flatnonzero(self.within(budget))
        return positions[np.argsort(self.tokens[positions], kind="stable")]

    def weights(self, positions: np.ndarray) -> np.ndarray:
        """[n]: 1 at `positions`, else 0."""
        weights = np.zeros(len(self.tokens))
        weights[positions] = 1.0
        return weights


Rule = Callable[[Group, int, dict, random.Random], np.ndarray]


def find_rule(name: str) -> Rule:
    """The function of a rule that comes with this project, or of one of the user's own that Python can import."""
    module, _, function = name.partition(":")
    if function:
        return getattr(importlib.import_module(module), function)
    return importlib.import_module(f"opsft.selection.{name}").select


def select(
    rules: Sequence[tuple[str, dict]], groups: dict[str, Group], budget: int, seed: tuple[int, int]
) -> dict[str, list[tuple[int, float]]]:
    """Apply (name, options) `rules` in turn to every group: for each key its kept (position, weight) pairs, by position.

    `seed` is that of the point and its iteration. Raises ValueError where a rule returns no n weights, one that is not finite or
    is negative, or one above 0 for what is no candidate, and where one of the user's own fails.
    """
    functions = [(name, find_rule(name), options) for name, options in rules]
    kept = {}
    for key, group in sorted(groups.items()):
        rng, weights = random.Random(f"{seed[0]}/{seed[1]}/{key}"), np.ones(len(group.tokens))
        for name, function, options in functions:
            weights = weights * checked(returned(function, group, budget, options, rng, name, key), group, name, key)
            group = replace(group, candidates=weights > 0)
        positions = np.flatnonzero(weights)
        kept[key] = list(zip(positions.tolist(), weights[positions].tolist(), strict=True))
    return kept


def returned(
    function: Rule, group: Group, budget: int, options: dict, rng: random.Random, rule: str, key: str
) -> object:
    """What a rule returns. Raises ValueError with the traceback where one of the user's own raises anything."""
    try:
        return function(group, budget, options, rng)
    except Exception as error:
        if ":" not in rule:
            raise
        own = "".join(traceback.format_exception(error.with_traceback(error.__traceback__.tb_next))).rstrip()
        raise ValueError(f"rule {rule!r} failed on the rollouts of {key}:\n{own}") from None


def checked(weights: object, group: Group, rule: str, key: str) -> np.ndarray:
    """The weights of one rule, as they may be. Raises ValueError where they may not."""
    try:
        found = np.asarray(weights)
    except ValueError:  # lists of different lengths
        found = np.empty(0, dtype=object)
    if found.dtype.kind not in "biuf":
        raise ValueError(
            f"rule {rule!r} returned {str(weights)[:80]} ({type(weights).__name__}) for {key}; "
            f"allowed: an array of {len(group.tokens)} numbers from 0 up"
        )
    found = found.astype(float)
    if found.shape != group.tokens.shape:
        raise ValueError(f"rule {rule!r} returned {found.shape} weights for the {len(group.tokens)} rollouts of {key}")
    if not np.all(np.isfinite(found) & (found >= 0)):
        raise ValueError(f"rule {rule!r} returned a weight that is negative or not finite for {key}: {found.tolist()}")
    if np.any(found[~group.candidates]):
        raise ValueError(f"rule {rule!r} keeps rollouts of {key} that the rules before it have dropped")
    return found
