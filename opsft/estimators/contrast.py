"""Two groups of policies on the same problems, each the training seeds of one recipe, or the base model alone.

A resample draws problems once for all groups, which pairs them, and seeds within each group (see `seeds`). Each group is resampled once, however many
it is compared with.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opsft.estimators.bootstrap import Estimate, Resampling, percentile_interval, resampled_sums
from opsft.estimators.budget_curve import budget_curve
from opsft.estimators.responses import Responses
from opsft.estimators.seeds import seed_shares

ACCURACY, TOKENS, CURVE = 0, 1, 2


@dataclass(frozen=True)
class Group:
    """The means over a group's seeds and all problems: accuracy, length in tokens, and the curve at each budget, [2 + B].

    `drawn` has them in every resample, [R, 2 + B]; NaN with one problem.
    """

    values: np.ndarray
    drawn: np.ndarray
    max_tokens: int


@dataclass(frozen=True)
class Contrast:
    """A second group against a first: of accuracy and at each budget of the curve a difference, of length a ratio."""

    accuracy: Estimate
    tokens_ratio: Estimate
    curve: list[Estimate]


def resample_group(
    policies: Sequence[Responses],
    problem_ids: Sequence[str],
    budgets: tuple[int, ...],
    resampling: Resampling,
    stream: tuple[int, ...] = (),
) -> Group:
    """The means of a group of seeds. `budgets` are the cut-offs of the curve, in tokens; groups of another `stream` draw their seeds independently.

    Raises ValueError where a policy has other problems than `problem_ids`, or two have another max_tokens; they may differ in n.
    """
    caps = sorted({policy.max_tokens for policy in policies})
    if len(caps) > 1:
        raise ValueError(f"max_tokens of the policies are {', '.join(map(str, caps))}: all must agree")
    measures = np.stack([per_problem(policy.in_order_of(problem_ids), budgets) for policy in policies], axis=1)
    problems, seeds, kinds = measures.shape
    flat = measures.reshape(problems, -1)
    sums = (
        resampled_sums(flat, resampling) if problems > 1 else np.full((resampling.resamples, flat.shape[1]), math.nan)
    )
    shares = seed_shares(seeds, resampling, stream)
    drawn = np.einsum("rsm,rs->rm", sums.reshape(-1, seeds, kinds) / problems, shares)
    return Group(values=measures.mean(axis=(0, 1)), drawn=drawn, max_tokens=caps[0])


def per_problem(policy: Responses, budgets: tuple[int, ...]) -> np.ndarray:
    """Accuracy, mean length and the curve at each budget, of each problem: [P, 2 + B]."""
    curve = budget_curve(policy.correct, policy.finished, policy.lengths, budgets)
    return np.column_stack([policy.correct.mean(axis=1), policy.lengths.mean(axis=1), curve])


def contrast(first: Group, second: Group, level: float) -> Contrast:
    """Compare two groups that were resampled alike, over the same problems and budgets.

    Each interval of the curve stands for its budget alone: none is widened because there are many. Raises ValueError where max_tokens,
    which caps the lengths, is not the same.
    """
    if first.max_tokens != second.max_tokens:
        raise ValueError(f"max_tokens is {first.max_tokens} and {second.max_tokens} for two groups: must agree")
    values, drawn = second.values - first.values, second.drawn - first.drawn
    differences = [percentile_interval(*pair, level) for pair in zip(values, drawn.T, strict=True)]
    ratios = second.drawn[:, TOKENS] / first.drawn[:, TOKENS]
    return Contrast(
        accuracy=differences[ACCURACY],
        tokens_ratio=percentile_interval(second.values[TOKENS] / first.values[TOKENS], ratios, level),
        curve=differences[CURVE:],
    )
