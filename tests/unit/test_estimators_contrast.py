"""Contrasts of two groups against a loop over the same resamples, and against the estimators of one group."""

import dataclasses
import math

import numpy as np
import pytest

from opsft.estimators.bootstrap import Resampling, resample_counts
from opsft.estimators.contrast import Contrast, contrast, resample_group
from opsft.estimators.seeds import pool_seeds, seed_shares
from tests.unit.simulated_responses import random_responses, responses_of

RESAMPLING = Resampling(resamples=300, level=0.9, seed=7)
BUDGETS = (20, 50, 100)


def group(rng: np.random.Generator, seeds: int) -> list:
    return [random_responses(rng, 12, 4, 0.4 + seed / 10) for seed in range(seeds)]


def compared(first: list, second: list) -> Contrast:
    ids = first[0].problem_ids
    sides = [resample_group(side, ids, BUDGETS, RESAMPLING, stream) for side, stream in ((first, (1,)), (second, ()))]
    return contrast(*sides, RESAMPLING.level)


def test_equals_a_naive_loop_over_problems_and_the_seeds_of_both_groups():
    rng = np.random.default_rng(0)
    first, second = group(rng, 2), group(rng, 3)
    shares = seed_shares(2, RESAMPLING, (1,)), seed_shares(3, RESAMPLING)
    gains, ratios, curve = [], [], []
    for number, row in enumerate(np.concatenate(list(resample_counts(12, RESAMPLING, 12)))):
        drawn = np.repeat(np.arange(12), row.astype(int))
        means = []
        for policies, weights in zip((first, second), shares, strict=True):
            parts = [
                (p.correct[drawn].mean(), p.lengths[drawn].mean(), (p.correct & (p.lengths <= 50))[drawn].mean())
                for p in policies
            ]
            means.append(np.average(parts, axis=0, weights=weights[number]))
        gains.append(means[1][0] - means[0][0])
        ratios.append(means[1][1] / means[0][1])
        curve.append(means[1][2] - means[0][2])
    found = compared(first, second)
    for estimate, resampled in ((found.accuracy, gains), (found.tokens_ratio, ratios), (found.curve[1], curve)):
        assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(resampled, [0.05, 0.95])))
    mean = [np.mean([p.correct.mean() for p in policies]) for policies in (first, second)]
    assert found.accuracy.value == pytest.approx(mean[1] - mean[0])


def test_against_a_base_model_it_is_what_pooled_seeds_say():
    rng = np.random.default_rng(1)
    seeds, base = group(rng, 3), random_responses(rng, 12, 2)
    found, pooled = compared([base], seeds), pool_seeds(seeds, base, RESAMPLING)
    assert dataclasses.astuple(found.accuracy) == pytest.approx(dataclasses.astuple(pooled.accuracy_diff))
    assert dataclasses.astuple(found.tokens_ratio) == pytest.approx(dataclasses.astuple(pooled.tokens_ratio))


def test_two_equal_groups_of_several_seeds_differ_only_by_their_draws():
    policies = group(np.random.default_rng(2), 3)
    found = compared(policies, policies)
    assert found.accuracy.value == 0
    assert found.accuracy.low < 0 < found.accuracy.high


def test_the_curve_at_the_cap_is_the_accuracy():
    rng = np.random.default_rng(3)
    found = compared(group(rng, 2), group(rng, 2))
    assert dataclasses.astuple(found.curve[-1]) == pytest.approx(dataclasses.astuple(found.accuracy))


def test_one_problem_has_no_interval():
    one = responses_of(np.array([[True]]), np.array([[10]]))
    found = compared([one], [one])
    assert found.accuracy.value == 0
    assert math.isnan(found.accuracy.low)


def test_policies_on_other_problems_are_refused():
    rng = np.random.default_rng(4)
    with pytest.raises(ValueError, match="problem"):
        compared([random_responses(rng, 3, 2)], [random_responses(rng, 4, 2)])


def test_groups_under_another_cap_are_refused():
    right, tokens = np.array([[True], [True]]), np.array([[10], [20]])
    with pytest.raises(ValueError, match="max_tokens is 100 and 200"):
        compared([responses_of(right, tokens)], [responses_of(right, tokens, max_tokens=200)])
    with pytest.raises(ValueError, match="100, 200: all must agree"):
        compared([responses_of(right, tokens), responses_of(right, tokens, max_tokens=200)], [])
