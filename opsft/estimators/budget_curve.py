"""The budget curve: what the accuracy would have been, had generation been cut at fewer tokens.

A response does not know the cap that it was generated under, so one set of rollouts under a long cap holds the exact
curve for every shorter budget; nothing is sampled again.
"""

import numpy as np


def default_budgets(cap: int) -> tuple[int, ...]:
    """Half-octave steps down from `cap`: 16 budgets, from about cap / 181 to cap; fewer where the cap is small."""
    return tuple(sorted({max(1, round(cap / 2 ** (step / 2))) for step in range(16)}))


def budget_curve(correct: np.ndarray, finished: np.ndarray, tokens: np.ndarray, budgets: tuple[int, ...]) -> np.ndarray:
    """Accuracy of each problem at each budget, [P, len(budgets)], from [P, n] inputs.

    Numerator: the samples that are right, finished, and no longer than the budget, EOS included. Denominator: n.
    Nothing is excluded: a response cut by the budget is a wrong one, even if its answer stood there already.
    """
    right = correct & finished
    return np.stack([(right & (tokens <= budget)).mean(axis=1) for budget in budgets], axis=1)


def area_under_curve(
    correct: np.ndarray, finished: np.ndarray, tokens: np.ndarray, first: int, last: int
) -> np.ndarray:
    """Mean accuracy of each problem, [P], over budgets spread evenly on a log axis from `first` to `last` tokens.

    Numerator: the exact integral of the curve over log(budget), a step function: a right and finished response of t
    tokens gives log(last / t), none if longer than `last`, all of log(last / first) if shorter than `first`.
    Denominator: n * log(last / first). So it lies in [0, 1] and does not depend on the budgets in between.
    Raises ValueError unless 1 <= first < last: there is no axis to average over.
    """
    if not 1 <= first < last:
        raise ValueError(f"the area from {first} to {last} tokens: 1 <= first < last is needed")
    gain = np.log(last / np.clip(tokens, first, last)) / np.log(last / first)
    return np.where(correct & finished, gain, 0.0).mean(axis=1)
