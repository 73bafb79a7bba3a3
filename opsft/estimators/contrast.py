"""Two groups of policies on the same problems, each the training seeds of one recipe, or the base model alone.

A resample draws problems once for both groups, which pairs them, and seeds within each group (see `seeds`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from opsft.estimators.bootstrap import Estimate, Resampling, percentile_interval, resampled_sums
from opsft.estimators.budget_curve import budget_curve
from opsft.estimators.pairs import per_problem
from opsft.estimators.responses import Responses
from opsft.estimators.seeds import seed_shares

ACCURACY, TOKENS, CURVE = 0, 1, 2


@dataclass(frozen=True)
class Contrast:
    """The second group's means over its seeds against the first's: of accuracy and at each budget of the curve a difference, of length a ratio."""

    accuracy: Estimate
    tokens_ratio: Estimate
    curve: list[Estimate]


def contrast(
    first: Sequence[Responses], second: Sequence[Responses], budgets: tuple[int, ...], resampling: Resampling
) -> Contrast:
    """Compare two groups; `budgets` are the cut-offs of the curve, in tokens.

    Each interval of the curve stands for its budget alone: none is widened because there are many. With one problem there is no interval:
    NaN. Raises ValueError where two policies have other problems or another max_tokens; they may differ in n.
    """
    policies, split = [*first, *second], len(first)
    measures = per_problem_measures(policies, budgets)
    problems, count, kinds = measures.shape
    flat = measures.reshape(problems, -1)
    sums = (
        resampled_sums(flat, resampling) if problems > 1 else np.full((resampling.resamples, flat.shape[1]), math.nan)
    )
    drawn = sums.reshape(-1, count, kinds) / problems
    values = [measures[:, part].mean(axis=(0, 1)) for part in (slice(split), slice(split, None))]
    resampled = [
        _means(drawn[:, :split], seed_shares(split, resampling, (1,))),
        _means(drawn[:, split:], seed_shares(count - split, resampling)),
    ]

    def difference(kind: int) -> Estimate:
        gains = resampled[1][:, kind] - resampled[0][:, kind]
        return percentile_interval(values[1][kind] - values[0][kind], gains, resampling.level)

    ratios = resampled[1][:, TOKENS] / resampled[0][:, TOKENS]
    return Contrast(
        accuracy=difference(ACCURACY),
        tokens_ratio=percentile_interval(values[1][TOKENS] / values[0][TOKENS], ratios, resampling.level),
        curve=[difference(kind) for kind in range(CURVE, kinds)],
    )


def per_problem_measures(policies: Sequence[Responses], budgets: tuple[int, ...]) -> np.ndarray:
    """Accuracy, mean length and the curve at each budget, of each problem under each policy: [P, K, 2 + B]."""
    accuracy, tokens = per_problem(policies)
    aligned = [policy.in_order_of(policies[0].problem_ids) for policy in policies]
    curves = np.stack([budget_curve(r.correct, r.finished, r.lengths, budgets) for r in aligned], axis=1)
    return np.concatenate([accuracy[..., None], tokens[..., None], curves], axis=2)


def _means(drawn: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Means over the drawn seeds, [R, M], from [R, S, M] and each seed's share, [R, S]."""
    return np.einsum("rsm,rs->rm", drawn, shares)
