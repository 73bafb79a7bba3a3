"""Everything that is said about a policy on a benchmark, as one plain dict ready for JSON."""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from opsft.estimators.bootstrap import (
    Estimate,
    Resampling,
    mean_interval,
    mean_intervals,
    quantile_interval,
    ratio_interval,
)
from opsft.estimators.budget_curve import area_under_curve, budget_curve, default_budgets
from opsft.estimators.majority import majority_at_k
from opsft.estimators.pass_at_k import pass_at_k
from opsft.estimators.responses import Responses


@dataclass(frozen=True)
class EvaluationSettings:
    """What is estimated, and how: budgets None stands for `default_budgets(max_tokens)`."""

    resamples: int = 10_000
    level: float = 0.95
    seed: int = 0
    pass_k: tuple[int, ...] = (1,)
    maj_k: tuple[int, ...] = ()
    budgets: tuple[int, ...] | None = None


def evaluate(responses: Responses, settings: EvaluationSettings, base: Responses | None = None) -> dict:
    """Estimate everything, and the paired difference from `base` on the same problems where it is given.

    Every estimate is {value, low, high}, None where undefined; every interval resamples problems (see `bootstrap`).
    Over all P * n responses, nothing excluded:
      accuracy                   share that is right and finished (avg@n)
      pass_at_k, maj_at_k        means over problems of `pass_at_k` and `majority_at_k`, by k as a string
      tokens mean, median, p90   length with EOS, a truncated response at max_tokens
      truncated, answered        share that did not finish; share that finished with an answer
      budget_curve               accuracy had generation been cut at each budget
      area_under_curve           its mean on a log axis from the first to the last budget
    Over some of them:
      tokens mean_right          length of the right responses: what a solution takes
      tokens mean_wrong          length of all others, truncated ones among them
    Deterministic under settings.seed. Raises ValueError where a k exceeds n, a budget exceeds max_tokens, or `base` has
    other problems or another max_tokens.
    """
    resampling = Resampling(settings.resamples, settings.level, settings.seed)
    budgets = _checked_budgets(settings.budgets, responses.max_tokens)
    graded = (responses.correct, responses.finished, responses.lengths)
    votes = (responses.answers, responses.matched, responses.finished)
    shares = {
        "accuracy": responses.correct.mean(axis=1),
        "truncated": (~responses.finished).mean(axis=1),
        "answered": responses.answered.mean(axis=1),
        "area_under_curve": area_under_curve(*graded, budgets[0], budgets[-1]),
    }
    pass_at = {str(k): pass_at_k(responses.correct, k) for k in settings.pass_k}
    maj_at = {str(k): majority_at_k(*votes, k, settings.seed) for k in settings.maj_k}
    return {
        "problems": len(responses.problem_ids),
        "samples": responses.correct.shape[1],
        "max_tokens": int(responses.max_tokens),
        **_mean_estimates(shares, resampling),
        "pass_at_k": _mean_estimates(pass_at, resampling),
        "maj_at_k": _mean_estimates(maj_at, resampling),
        "tokens": _token_estimates(responses, resampling),
        "budget_curve": _curve_estimates(budget_curve(*graded, budgets), budgets, resampling),
        "difference": None if base is None else _difference(responses, base, budgets, resampling),
    }


def _token_estimates(responses: Responses, resampling: Resampling) -> dict:
    lengths, right, wrong = responses.lengths, responses.correct, ~responses.correct
    return {
        "mean": _plain(mean_interval(lengths.mean(axis=1), resampling)),
        "median": _plain(quantile_interval(lengths, 0.5, resampling)),
        "p90": _plain(quantile_interval(lengths, 0.9, resampling)),
        "mean_right": _plain(ratio_interval((lengths * right).sum(axis=1), right.sum(axis=1), resampling)),
        "mean_wrong": _plain(ratio_interval((lengths * wrong).sum(axis=1), wrong.sum(axis=1), resampling)),
    }


def _difference(policy: Responses, base: Responses, budgets: tuple[int, ...], resampling: Resampling) -> dict:
    """Policy minus base, problem by problem; tokens_ratio is the policy's mean length over that of the base.

    The two may differ in n. They may not differ in max_tokens, which caps the lengths that are compared.
    """
    base = base.in_order_of(policy.problem_ids)
    if policy.max_tokens != base.max_tokens:
        raise ValueError(
            f"max_tokens is {policy.max_tokens} for the policy and {base.max_tokens} for the base: must agree"
        )
    policy_tokens, base_tokens = policy.lengths.mean(axis=1), base.lengths.mean(axis=1)
    policy_curve, base_curve = (budget_curve(r.correct, r.finished, r.lengths, budgets) for r in (policy, base))
    differences = {
        "accuracy": policy.correct.mean(axis=1) - base.correct.mean(axis=1),
        "tokens": policy_tokens - base_tokens,
    }
    return {
        **_mean_estimates(differences, resampling),
        "tokens_ratio": _plain(ratio_interval(policy_tokens, base_tokens, resampling)),
        "budget_curve": _curve_estimates(policy_curve - base_curve, budgets, resampling),
    }


def _mean_estimates(columns: dict[str, np.ndarray], resampling: Resampling) -> dict[str, dict]:
    if not columns:
        return {}
    estimates = mean_intervals(np.stack(list(columns.values()), axis=1), resampling)
    return {name: _plain(estimate) for name, estimate in zip(columns, estimates, strict=True)}


def _curve_estimates(curve: np.ndarray, budgets: tuple[int, ...], resampling: Resampling) -> list[dict]:
    estimates = mean_intervals(curve, resampling)
    return [{"budget": budget, **_plain(estimate)} for budget, estimate in zip(budgets, estimates, strict=True)]


def _plain(estimate: Estimate) -> dict[str, float | None]:
    fields = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: None if math.isnan(number) else number for name, number in fields.items()}


def _checked_budgets(budgets: tuple[int, ...] | None, max_tokens: int) -> tuple[int, ...]:
    budgets = default_budgets(max_tokens) if budgets is None else tuple(int(budget) for budget in budgets)
    ascending = all(earlier < later for earlier, later in itertools.pairwise(budgets))
    if len(budgets) < 2 or not ascending or budgets[0] < 1 or budgets[-1] > max_tokens:
        raise ValueError(
            f"budgets are {budgets}: two or more are needed, ascending, from 1 to max_tokens ({max_tokens})"
        )
    return budgets
