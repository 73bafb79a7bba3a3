"""The mean over several training seeds of one recipe, and an interval for what another seed and other problems would give.

Seeds and problems are crossed: every seed is measured on every problem. So a resample draws both, independently of each
other, and takes the mean over what was drawn of both (the pigeonhole bootstrap, Owen 2007, arXiv 0712.1111).

Of S seeds a resample draws S - 1, with replacement: drawing S would make the variance between seeds too small by the
factor (S - 1) / S, a half for two seeds (Hesterberg 2015, The American Statistician 69, 371-386). Problems are so
many that it makes no difference to them. One seed cannot show how much seeds differ: its interval resamples problems only.

What it cannot do: percentiles of 2 or 3 seeds cannot reach beyond the best and the worst of them, so the interval is too
narrow where seeds differ more than problems explain. Read it beside the number of seeds and their standard deviation.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from opsft.estimators.bootstrap import Estimate, Resampling, percentile_interval, resampled_sums
from opsft.estimators.pairs import per_problem
from opsft.estimators.responses import Responses


@dataclass(frozen=True)
class PooledSeeds:
    """Means over seeds. `accuracy_sd` is the standard deviation of the seeds' accuracies, NaN for one seed."""

    seeds: int
    accuracy: Estimate
    accuracy_sd: float
    accuracy_per_1000_tokens: Estimate
    tokens: Estimate
    accuracy_diff: Estimate
    tokens_ratio: Estimate


def pool_seeds(seeds: Sequence[Responses], base: Responses, resampling: Resampling) -> PooledSeeds:
    """Accuracy and mean length over all seeds, and both against `base`, which has no seed.

    With one problem there is no interval: NaN. Raises ValueError where two of them have other problems or another
    max_tokens.
    """
    accuracy, tokens = per_problem([base, *seeds])
    problems = len(accuracy)
    matrices = {"accuracy": accuracy[:, 1:], "tokens": tokens[:, 1:]}
    matrices |= {"base_accuracy": accuracy[:, :1], "base_tokens": tokens[:, :1]}
    value = {name: float(matrix.mean()) for name, matrix in matrices.items()}
    drawn = _resampled(matrices, resampling) if problems > 1 else dict.fromkeys(matrices, np.array([math.nan]))

    def estimate(statistic: Callable[[dict], float | np.ndarray]) -> Estimate:
        return percentile_interval(statistic(value), statistic(drawn), resampling.level)

    by_seed = accuracy[:, 1:].mean(axis=0)
    return PooledSeeds(
        seeds=len(seeds),
        accuracy=estimate(lambda means: means["accuracy"]),
        accuracy_sd=float(by_seed.std(ddof=1)) if len(seeds) > 1 else math.nan,
        accuracy_per_1000_tokens=estimate(lambda means: 1_000 * means["accuracy"] / means["tokens"]),
        tokens=estimate(lambda means: means["tokens"]),
        accuracy_diff=estimate(lambda means: means["accuracy"] - means["base_accuracy"]),
        tokens_ratio=estimate(lambda means: means["tokens"] / means["base_tokens"]),
    )


def _resampled(matrices: dict[str, np.ndarray], resampling: Resampling) -> dict[str, np.ndarray]:
    """The mean of each matrix ([P, S], or [P, 1] for the base) in every resample of problems and seeds, [R]."""
    problems, seeds = matrices["accuracy"].shape
    shares = seed_shares(seeds, resampling)
    by_seed = {name: resampled_sums(matrix, resampling) / problems for name, matrix in matrices.items()}
    return {name: (means * shares).sum(axis=1) for name, means in by_seed.items()}


def seed_shares(seeds: int, resampling: Resampling, stream: tuple[int, ...] = ()) -> np.ndarray:
    """The weight of each seed in every resample, [R, S]: its share of the S - 1 that are drawn; all of it for one seed.

    Draws of another `stream` are independent.
    """
    drawn = max(1, seeds - 1)
    # A stream of its own: the problems of a resample must not depend on how many seeds there are.
    rng = np.random.default_rng((resampling.seed, seeds, *stream))
    return rng.multinomial(drawn, [1 / seeds] * seeds, size=resampling.resamples) / drawn
