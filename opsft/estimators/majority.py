"""maj@k: is the most frequent answer of k samples right? (self-consistency: Wang et al. 2022, arXiv 2203.11171)"""

import itertools
import math

import numpy as np

MAX_SUBSETS = 1_000
"""Up to this many k-subsets all are enumerated; of more, this many are drawn at random."""


def majority_at_k(answers: np.ndarray, matched: np.ndarray, finished: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """Expected maj@k of each problem, [P], over the k-subsets of its n samples; all inputs are [P, n].

    Numerator: over the subsets, the share of the most frequent answers that are right: 1 or 0, or a fraction in a tie.
    Denominator: the number of subsets. A sample does not vote when it has no answer or did not finish; a subset without
    any vote counts as wrong. Answers are told apart by their canonical form (`opsft.verify`). An answer is right when any sample that
    gave it is `matched`, finished or not: a comparison can miss an equality (a time-out), so one proof is enough.
    Raises ValueError unless 1 <= k <= n.
    """
    samples = finished.shape[1]
    if not 1 <= k <= samples:
        raise ValueError(f"maj@{k} with {samples} samples a problem: k must lie between 1 and the number of samples")
    subsets = k_subsets(samples, k, seed)
    problems = zip(answers, matched, finished, strict=True)
    return np.array([_majority_credit(subsets, *problem) for problem in problems])


def k_subsets(samples: int, k: int, seed: int) -> np.ndarray:
    """Subsets of k of the samples as 0/1 rows, [subsets, n].

    All of them, or, where there are more than MAX_SUBSETS, that many random ones, drawn independently (one may come
    twice). The same subsets serve every problem, so that a problem's maj@k does not depend on which others are there.
    """
    if math.comb(samples, k) <= MAX_SUBSETS:
        members = np.array(list(itertools.combinations(range(samples), k)))
    else:
        members = np.random.default_rng(seed).random((MAX_SUBSETS, samples)).argsort(axis=1)[:, :k]
    subsets = np.zeros((len(members), samples))
    np.put_along_axis(subsets, members, 1, axis=1)
    return subsets


def _majority_credit(subsets: np.ndarray, answers: np.ndarray, matched: np.ndarray, finished: np.ndarray) -> float:
    """Mean over the subsets of the share of winning answers that are right, for the samples [n] of one problem."""
    candidates = list(dict.fromkeys(a for a, done in zip(answers, finished, strict=True) if done and a is not None))
    if not candidates:
        return 0.0
    gave = np.array([[answer == candidate for candidate in candidates] for answer in answers])
    right = (gave & matched[:, None]).any(axis=0)
    votes = subsets @ (gave & finished[:, None])
    most = votes.max(axis=1, keepdims=True)
    winners = (votes == most) & (most > 0)
    right_winners = winners & right
    return float(np.mean(right_winners.sum(axis=1) / np.maximum(winners.sum(axis=1), 1)))
