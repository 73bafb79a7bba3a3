"""Selection rules: what each keeps, and what holds for all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsft.selection.interface import Group, select
from opsft.selection.statistics import describe

RULES = ("correct_within", "correct", "shortest_k", "all")


def make_group(rows: list[tuple[bool, bool, int]]) -> Group:
    """A group from (matched, finished, tokens) rows; correct is matched and finished."""
    matched, finished, tokens = (np.array(column) for column in zip(*rows, strict=True))
    return Group(correct=matched & finished, matched=matched, finished=finished, tokens=tokens)


rows = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 50)), min_size=1, max_size=12)
groups = st.dictionaries(st.text("abc", min_size=1, max_size=3), rows.map(make_group), min_size=1, max_size=5)
options = st.integers(1, 4).map(lambda k: {"k": k})
budgets = st.integers(1, 50)


def test_correct_within_keeps_what_is_right_and_finished_within_the_budget():
    group = make_group([(True, True, 10), (True, True, 11), (False, True, 5), (True, False, 10), (True, True, 1)])
    assert select("correct_within", {"p": group}, 10, {}) == {"p": [(0, 1.0), (4, 1.0)]}


def test_correct_keeps_truncated_right_ones_too():
    group = make_group([(True, True, 10), (True, False, 10), (False, True, 5)])
    assert select("correct", {"p": group}, 10, {}) == {"p": [(0, 1.0), (1, 1.0)]}


def test_shortest_k_takes_the_shortest_right_ones_and_breaks_ties_by_sample():
    group = make_group([(True, True, 7), (True, True, 5), (True, True, 5), (False, True, 1), (True, True, 9)])
    assert select("shortest_k", {"p": group}, 8, {"k": 1}) == {"p": [(1, 1.0)]}
    assert select("shortest_k", {"p": group}, 8, {"k": 2}) == {"p": [(1, 1.0), (2, 1.0)]}
    assert select("shortest_k", {"p": group}, 8, {"k": 9}) == {"p": [(0, 1.0), (1, 1.0), (2, 1.0)]}


def test_all_keeps_everything():
    group = make_group([(False, False, 3), (True, True, 2)])
    assert select("all", {"p": group}, 1, {}) == {"p": [(0, 1.0), (1, 1.0)]}


@given(groups, budgets, options)
def test_only_right_ones_are_kept(batch, budget, chosen):
    for rule in ("correct_within", "correct", "shortest_k"):
        for key, pairs in select(rule, batch, budget, chosen).items():
            assert all(batch[key].matched[position] for position, _ in pairs)


@given(groups, budgets, options)
def test_rules_within_the_budget_keep_nothing_truncated_or_longer(batch, budget, chosen):
    for rule in ("correct_within", "shortest_k"):
        for key, pairs in select(rule, batch, budget, chosen).items():
            assert all(batch[key].finished[p] and batch[key].tokens[p] <= budget for p, _ in pairs)


@given(groups, budgets, options)
def test_shortest_k_keeps_at_most_k_and_a_part_of_correct_within(batch, budget, chosen):
    within = select("correct_within", batch, budget, chosen)
    for key, pairs in select("shortest_k", batch, budget, chosen).items():
        assert len(pairs) == min(chosen["k"], len(within[key]))
        assert set(pairs) <= set(within[key])
        left_out = {p for p, _ in within[key]} - {p for p, _ in pairs}
        assert all(batch[key].tokens[p] <= batch[key].tokens[q] for p, _ in pairs for q in left_out)


@given(groups, budgets, options)
def test_a_wider_budget_keeps_no_less(batch, budget, chosen):
    tight, wide = (select("correct_within", batch, b, chosen) for b in (budget, budget + 5))
    assert all(set(tight[key]) <= set(wide[key]) for key in batch)


@given(groups, budgets, options, st.randoms())
def test_the_order_of_the_groups_does_not_matter(batch, budget, chosen, rng):
    keys = list(batch)
    rng.shuffle(keys)
    for rule in RULES:
        assert select(rule, {key: batch[key] for key in keys}, budget, chosen) == select(rule, batch, budget, chosen)


@given(groups, budgets, options)
def test_statistics_count_what_was_kept(batch, budget, chosen):
    kept = select("correct_within", batch, budget, chosen)
    statistics = describe(batch, kept)
    assert statistics["rollouts"] == sum(len(group.tokens) for group in batch.values())
    assert statistics["kept"] == sum(map(len, kept.values()))
    assert 0 <= statistics["kept_share"] <= statistics["before"]["accuracy"] <= 1
    lengths = [batch[key].tokens[p] for key, pairs in kept.items() for p, _ in pairs]
    mean = statistics["after"]["tokens_mean"]
    assert mean is None if not lengths else mean == pytest.approx(np.mean(lengths))


def test_statistics_before_and_after_worked_out():
    batch = {
        "p": make_group([(True, True, 4), (True, True, 8)]),
        "q": make_group([(False, True, 6), (False, False, 10)]),
    }
    statistics = describe(batch, select("correct_within", batch, 5, {}))
    # Before: right 2 of 4, truncated 1 of 4, mean (4 + 8 + 6 + 10) / 4; p is all right, q all wrong. After: the one of 4 tokens.
    assert (statistics["kept_share"], statistics["prompts_kept"], statistics["weight_sum"]) == (0.25, 1, 1.0)
    before = statistics["before"]
    assert (before["accuracy"], before["truncated"], before["tokens_mean"]) == (0.5, 0.25, 7.0)
    assert (before["prompts_all_right"], before["prompts_all_wrong"]) == (0.5, 0.5)
    assert (before["tokens_right"], before["tokens_wrong"]) == (6.0, 8.0)
    assert (statistics["after"]["tokens_mean"], statistics["after"]["tokens_sum"]) == (4.0, 4)
