"""The budget curve against a loop, its area against a fine sum, and the default budgets."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from opsft.estimators.budget_curve import area_under_curve, budget_curve, default_budgets

CORRECT = np.array([[True, True, False, True], [False, False, True, True]])
FINISHED = np.array([[True, True, True, False], [True, True, True, True]])
TOKENS = np.array([[10, 40, 5, 64], [1, 2, 20, 64]])

correct_finished_tokens = st.tuples(
    arrays(bool, (3, 5)), arrays(bool, (3, 5)), arrays(int, (3, 5), elements=st.integers(1, 64))
)


def test_worked_curve():
    # Problem 1: right and finished at 10 and 40 tokens; its third right one is truncated. Problem 2: at 20 and 64.
    expected = [[0, 0.25, 0.25, 0.5, 0.5], [0, 0, 0.25, 0.25, 0.5]]
    np.testing.assert_array_equal(budget_curve(CORRECT, FINISHED, TOKENS, (9, 10, 20, 40, 64)), expected)


@settings(max_examples=50, deadline=None)
@given(correct_finished_tokens)
def test_curve_equals_a_loop_and_never_falls(graded):
    correct, finished, tokens = graded
    budgets = tuple(range(1, 65))
    curve = budget_curve(correct, finished, tokens, budgets)
    for problem, column in itertools.product(range(3), range(64)):
        samples = zip(correct[problem], finished[problem], tokens[problem], strict=True)
        right = sum(bool(c and f and t <= budgets[column]) for c, f, t in samples)
        assert curve[problem, column] == right / 5
    assert (np.diff(curve, axis=1) >= 0).all()


def test_worked_area():
    # Between 4 and 64 tokens, four octaves: 16 tokens leave two of them; 2 tokens all four; 64 none; wrong none.
    correct = np.array([[True, True, True, False]])
    area = area_under_curve(correct, np.ones((1, 4), bool), np.array([[16, 2, 64, 4]]), first=4, last=64)
    np.testing.assert_allclose(area, [(2 / 4 + 1 + 0 + 0) / 4])


@settings(max_examples=30, deadline=None)
@given(correct_finished_tokens)
def test_area_is_the_mean_of_the_curve_over_log_budgets(graded):
    logs = np.linspace(math.log(2), math.log(50), 4_001)
    middles = np.exp((logs[1:] + logs[:-1]) / 2)
    fine = budget_curve(*graded, tuple(middles)).mean(axis=1)
    np.testing.assert_allclose(area_under_curve(*graded, first=2, last=50), fine, atol=1e-3)


@pytest.mark.parametrize(("first", "last"), [(8, 8), (0, 8), (9, 8)])
def test_area_without_an_axis_is_refused(first, last):
    with pytest.raises(ValueError, match=f"from {first} to {last}"):
        area_under_curve(CORRECT, FINISHED, TOKENS, first, last)


@given(st.integers(1, 200_000))
def test_default_budgets_ascend_to_the_cap(cap):
    budgets = default_budgets(cap)
    assert budgets[0] >= 1
    assert budgets[-1] == cap
    assert all(earlier < later for earlier, later in itertools.pairwise(budgets))
    assert len(budgets) <= 16


def test_default_budgets_of_a_long_cap():
    assert default_budgets(32_768) == (
        *(181, 256, 362, 512, 724, 1_024, 1_448, 2_048),
        *(2_896, 4_096, 5_793, 8_192, 11_585, 16_384, 23_170, 32_768),
    )
