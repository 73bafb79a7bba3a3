"""pass@k: the chance that at least one of k samples is right."""

import math

import numpy as np


def pass_at_k(correct: np.ndarray, k: int) -> np.ndarray:
    """Unbiased pass@k of each problem, [P], from `correct` [P, n].

    1 - C(n - c, k) / C(n, k) with c right ones among n samples (Chen et al. 2021, arXiv 2107.03374, equation 1).
    Numerator: the k-subsets of the samples that hold a right one. Denominator: all k-subsets. Nothing is excluded: a
    truncated sample is a wrong one. The binomials are exact integers, so nothing overflows or cancels.
    Raises ValueError unless 1 <= k <= n: with fewer samples than k no unbiased estimate exists.
    """
    correct = np.asarray(correct, dtype=bool)
    samples = correct.shape[1]
    if not 1 <= k <= samples:
        raise ValueError(f"pass@{k} with {samples} samples a problem: k must lie between 1 and the number of samples")
    subsets = math.comb(samples, k)
    by_right_count = np.array([(subsets - math.comb(samples - c, k)) / subsets for c in range(samples + 1)])
    return by_right_count[correct.sum(axis=1)]
