"""Budget schedules: the cap of each iteration, planned or from what was measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsft.budgets import largest_budget, next_budget, planned_budget

STEPS = {"kind": "steps", "budgets": [40, 30, 20], "iterations": 2}


def quantile(start: int = 50, floor: int = 4, share: float = 0.5, most: float | None = 1.0) -> dict:
    return {"kind": "quantile", "start": start, "floor": floor, "quantile": share, "most_truncated": most}


def test_a_constant_budget_is_the_same_in_each_iteration():
    schedule = {"kind": "constant", "budget": 7}
    assert [planned_budget(schedule, i) for i in (1, 2, 9)] == [7, 7, 7]
    assert largest_budget(schedule) == 7


def test_steps_take_their_turns_and_the_last_one_lasts():
    assert [planned_budget(STEPS, i) for i in range(1, 9)] == [40, 40, 30, 30, 20, 20, 20, 20]
    assert largest_budget(STEPS) == 40


def test_a_quantile_is_planned_for_the_first_iteration_only():
    assert [planned_budget(quantile(), i) for i in (1, 2, 3)] == [50, None, None]
    assert largest_budget(quantile()) == 50


@pytest.mark.parametrize(("share", "expected"), [(0.5, 20), (0.51, 30), (0.25, 10), (1.0, 40), (0.001, 10)])
def test_the_next_budget_is_the_length_that_a_share_does_not_exceed(share, expected):
    assert next_budget(quantile(share=share), 50, [40, 10, 30, 20], 0.0) == expected


def test_no_budget_is_below_the_floor_and_without_a_right_response_it_stays():
    assert next_budget(quantile(floor=15), 50, [3, 4], 0.0) == 15
    assert next_budget(quantile(), 37, [], 0.0) == 37


@pytest.mark.parametrize(
    ("most", "truncated", "expected"),
    [(0.25, 0.24, 20), (0.25, 0.25, 50), (None, 0.49, 20), (None, 0.5, 50), (1.0, 0.9, 20)],
)
def test_a_budget_that_cuts_off_too_many_stays(most, truncated, expected):
    assert next_budget(quantile(most=most), 50, [40, 10, 30, 20], truncated) == expected


def budgets_of(policy, schedule: dict, iterations: int) -> list[int]:
    """The budgets of a policy, given as the lengths that it would sample under a budget if nothing were cut off; half of those finished are right."""
    rng, budgets = np.random.default_rng(0), [schedule["start"]]
    for _ in range(iterations):
        lengths = policy(rng, budgets[-1])
        finished = lengths[lengths <= budgets[-1]]
        right = finished[rng.random(len(finished)) < 0.5].tolist()
        budgets.append(next_budget(schedule, budgets[-1], right, 1 - len(finished) / len(lengths)))
    return budgets


@pytest.mark.parametrize("share", [0.5, 0.6, 0.9])
def test_a_policy_that_is_never_trained_is_not_tightened_for_ever_and_one_that_follows_is(share):
    def untrained(rng, budget):
        return np.ceil(rng.lognormal(5.0, 0.6, 1000)).astype(int)

    def following(rng, budget):
        return np.ceil(0.8 * budget * rng.lognormal(-0.5, 0.3, 1000)).astype(int)

    schedule = quantile(start=600, floor=20, share=share, most=None)
    budgets = budgets_of(untrained, schedule, 40)
    # After two steps of luck at most, a share of 1 - q * q is cut off, which is far more than 1 - q.
    assert len(set(budgets)) <= 3
    assert budgets[-1] >= np.quantile(untrained(np.random.default_rng(1), 0), 0.9 * share**2)
    assert budgets_of(following, schedule, 40)[-1] == 20
    assert budgets_of(untrained, {**schedule, "most_truncated": 1.0}, 40)[-1] < budgets[-1] / 2


@given(st.integers(5, 60), st.lists(st.integers(1, 60), max_size=30), st.integers(1, 100))
def test_a_quantile_never_raises_the_budget_and_is_the_least_that_leaves_room(budget, lengths, percent):
    lengths = [length for length in lengths if length <= budget]
    found = next_budget(quantile(floor=1, share=percent / 100), budget, lengths, 0.0)
    assert 1 <= found <= budget
    if lengths:
        enough = [c for c in range(1, 61) if 100 * sum(n <= c for n in lengths) >= percent * len(lengths)]
        assert found == min(enough)
