"""Selection rules: what each keeps, and what holds for all of them."""

import importlib
import math
import random
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsft.selection.interface import Group, select
from opsft.selection.rules import RULES
from opsft.selection.statistics import describe
from opsft.selection.trial import try_rules

DEFAULTS = {"k": 1, "fraction": 0.5, "cap": 8, "alpha": 0.2}
CONTROLS = ("correct", "all")
WITHIN = [rule for rule in RULES if rule not in CONTROLS]


def make_group(rows: list[tuple[bool, bool, int]]) -> Group:
    """A group from (matched, finished, tokens) rows; correct is matched and finished."""
    table = np.array(rows, dtype=int).reshape(-1, 3)
    matched, finished = table[:, 0].astype(bool), table[:, 1].astype(bool)
    return Group(correct=matched & finished, matched=matched, finished=finished, tokens=table[:, 2])


def right(*tokens: int) -> list[tuple[bool, bool, int]]:
    return [(True, True, length) for length in tokens]


def wrong(*tokens: int) -> list[tuple[bool, bool, int]]:
    return [(False, True, length) for length in tokens]


def kept_of(rule: str, rows: list[tuple[bool, bool, int]], budget: int = 100, **options) -> list[tuple[int, float]]:
    """What a rule keeps of one prompt."""
    return select([(rule, DEFAULTS | options)], {"p": make_group(rows)}, budget, (0, 1))["p"]


def positions(kept: list[tuple[int, float]]) -> list[int]:
    assert all(weight == 1.0 for _, weight in kept)
    return [position for position, _ in kept]


rows = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 50)), max_size=12)
groups = st.dictionaries(st.text("abc", min_size=1, max_size=3), rows.map(make_group), min_size=1, max_size=5)
options = st.fixed_dictionaries(
    {
        "k": st.integers(1, 4),
        "fraction": st.floats(0.01, 1),
        "cap": st.integers(1, 4),
        "alpha": st.floats(0, 0.99),
    }
)
budgets = st.integers(1, 50)
seeds = st.tuples(st.integers(0, 3), st.integers(1, 3))
rules = st.sampled_from(sorted(RULES))
few = settings(max_examples=40)
chains = st.lists(st.tuples(rules, options), min_size=1, max_size=3)


# What each rule keeps


def test_correct_within_keeps_what_is_right_and_finished_within_the_budget():
    batch = [(True, True, 10), (True, True, 11), (False, True, 5), (True, False, 10), (True, True, 1)]
    assert kept_of("correct_within", batch, 10) == [(0, 1.0), (4, 1.0)]


def test_correct_keeps_truncated_right_ones_too():
    assert positions(kept_of("correct", [(True, True, 10), (True, False, 10), (False, True, 5)], 10)) == [0, 1]


def test_all_keeps_everything():
    assert positions(kept_of("all", [(False, False, 3), (True, True, 2)], 1)) == [0, 1]


def test_shortest_k_takes_the_shortest_right_ones_and_breaks_ties_by_sample():
    batch = [*right(7, 5, 5), *wrong(1), *right(9)]
    assert positions(kept_of("shortest_k", batch, 8, k=1)) == [1]
    assert positions(kept_of("shortest_k", batch, 8, k=2)) == [1, 2]
    assert positions(kept_of("shortest_k", batch, 8, k=9)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.5, [1, 2]), (0.25, [1]), (0.26, [1, 2]), (1.0, [0, 1, 2, 3]), (0.01, [1])]
)
def test_shortest_fraction_takes_a_share_of_the_right_ones_rounded_up(fraction, expected):
    # Of 4 right ones: 0.5 is 2, 0.25 is 1, 0.26 is 1.04 and so 2, and 0.01 still keeps one.
    assert positions(kept_of("shortest_fraction", [*right(9, 2, 4, 7), *wrong(1)], fraction=fraction)) == expected


def test_shortest_fraction_is_not_rounded_up_for_what_floats_add():
    assert 0.07 * 100 > 7
    assert len(kept_of("shortest_fraction", right(*range(1, 101)), fraction=0.07)) == 7


def test_below_mean_keeps_what_is_no_longer_than_the_mean_of_the_right_ones():
    # The mean of 2, 4 and 9 is 5; the wrong one and the one over the budget do not count.
    assert positions(kept_of("below_mean", [*right(2, 4, 9, 30), *wrong(1)], 10)) == [0, 1]
    assert positions(kept_of("below_mean", right(5, 5))) == [0, 1]


def test_cap_per_prompt_draws_without_replacement_and_by_the_seed():
    batch = [*right(*range(1, 21)), *wrong(1)]
    draws = [
        tuple(positions(select([("cap_per_prompt", {"cap": 3})], {"p": make_group(batch)}, 100, (0, i))["p"]))
        for i in range(1, 200)
    ]
    assert all(len(set(draw)) == 3 and max(draw) < 20 for draw in draws)
    # Each of 20 is drawn in 199 * 3 / 20, about 30, of the draws; 5 standard deviations are 25.
    counts = [sum(position in draw for draw in draws) for position in range(20)]
    assert min(counts) > 4
    assert max(counts) < 56
    assert positions(kept_of("cap_per_prompt", batch, cap=50)) == list(range(20))


def test_a_draw_depends_on_the_seed_the_iteration_and_the_problem_only():
    group = make_group(right(*range(1, 31)))

    def draw(key, seed, others=()):
        batch = {name: group for name in (key, *others)}
        return select([("cap_per_prompt", {"cap": 5})], batch, 100, seed)[key]

    assert draw("p", (0, 1)) == draw("p", (0, 1), others=("a", "z"))
    assert len({str(draw(key, seed)) for key in "pq" for seed in ((0, 1), (1, 1), (0, 2))}) == 6


def test_reject_trivial_drops_prompts_that_are_all_right():
    assert kept_of("reject_trivial", right(3, 4)) == []
    assert positions(kept_of("reject_trivial", [*right(3, 4), *wrong(1)])) == [0, 1]
    assert positions(kept_of("reject_trivial", [*right(3, 4), (True, False, 9)])) == [0, 1]


@pytest.mark.parametrize(("n_wrong", "expected"), [(0, 1), (1, 1), (5, 2), (9, 3), (3, 1)])
def test_difficulty_adaptive_keeps_fewer_of_an_easy_prompt(n_wrong, expected):
    # Of 10 responses w are wrong: k = ceil(3 * w / 10), at least 1; the shortest of the right ones.
    batch = [*right(*range(20, 10 + n_wrong, -1)), *wrong(*[1] * n_wrong)]
    kept = positions(kept_of("difficulty_adaptive", batch, cap=3))
    last = len(batch) - n_wrong
    assert kept == list(range(last - min(expected, last), last))


def test_difficulty_adaptive_is_not_rounded_up_for_what_floats_add():
    # 3 of 10 wrong, cap 10: k = 3, where 10 * (1 - 0.7) is a little more than 3.
    assert 10 * (1 - 0.7) > 3
    assert len(kept_of("difficulty_adaptive", [*right(*range(1, 8)), *wrong(1, 1, 1)], cap=10)) == 3


def test_er_sigmoid_weighs_by_the_normalised_length():
    # Of 2, 4 and 6 the mean is 4 and the standard deviation sqrt(8 / 3), so z is -1.2247, 0 and 1.2247.
    kept = kept_of("er_sigmoid", [*right(2, 4, 6), *wrong(1)], alpha=0.4)
    z = math.sqrt(3 / 2)
    expected = [1 - 0.4 / (1 + math.exp(z)), 0.8, 1 - 0.4 / (1 + math.exp(-z))]
    assert [position for position, _ in kept] == [0, 1, 2]
    assert [weight for _, weight in kept] == pytest.approx(expected, rel=1e-12)


def test_er_sigmoid_weighs_equal_lengths_alike():
    assert kept_of("er_sigmoid", right(4, 4), alpha=0.5) == [(0, 0.75), (1, 0.75)]
    assert kept_of("er_sigmoid", right(4), alpha=0.0) == [(0, 1.0)]


def test_rules_in_turn_choose_among_what_is_left_and_see_the_whole_group():
    batch = {"easy": make_group(right(3, 2)), "hard": make_group([*right(9, 5, 7), *wrong(1)])}
    chain = [("reject_trivial", {}), ("shortest_k", {"k": 2})]
    assert select(chain, batch, 100, (0, 1)) == {"easy": [], "hard": [(1, 1.0), (2, 1.0)]}
    # What is left of the prompt is all right; the prompt is not.
    assert select(chain[::-1], batch, 100, (0, 1)) == {"easy": [], "hard": [(1, 1.0), (2, 1.0)]}


def test_the_weights_of_rules_in_turn_multiply():
    chain = [("er_sigmoid", {"alpha": 0.5}), ("er_sigmoid", {"alpha": 0.5})]
    assert select(chain, {"p": make_group(right(4, 4))}, 100, (0, 1)) == {"p": [(0, 0.5625), (1, 0.5625)]}


# What holds for all rules


def test_every_rule_is_a_module_of_its_own_and_every_module_a_rule():
    folder = importlib.import_module("opsft.selection").__path__[0]
    modules = {file.stem for file in importlib.import_module("pathlib").Path(folder).glob("[!_]*.py")}
    assert modules == {*RULES, "interface", "rules", "statistics", "trial"}


@few
@given(groups, budgets, options, seeds)
def test_only_right_ones_are_kept_and_nothing_truncated_or_longer_where_the_budget_counts(batch, budget, chosen, seed):
    for rule in (*WITHIN, "correct"):
        for key, pairs in select([(rule, chosen)], batch, budget, seed).items():
            group = batch[key]
            assert all(group.matched[p] for p, _ in pairs)
            assert rule == "correct" or all(group.finished[p] and group.tokens[p] <= budget for p, _ in pairs)


@few
@given(groups, budgets, chains, seeds)
def test_weights_are_finite_and_at_most_one(batch, budget, chain, seed):
    for pairs in select(chain, batch, budget, seed).values():
        assert all(0 < weight <= 1 for _, weight in pairs)


@few
@given(groups, budgets, chains, seeds, st.randoms(use_true_random=False))
def test_the_same_seed_keeps_the_same_whatever_the_order_of_the_groups(batch, budget, chain, seed, rng):
    keys = list(batch)
    rng.shuffle(keys)
    assert select(chain, {key: batch[key] for key in keys}, budget, seed) == select(chain, batch, budget, seed)


@few
@given(rules, budgets, options)
def test_an_empty_group_gives_nothing(rule, budget, chosen):
    assert select([(rule, chosen)], {"p": make_group([])}, budget, (0, 1)) == {"p": []}


@few
@given(groups, budgets, options, seeds)
def test_a_prompt_with_a_right_response_within_the_budget_loses_all_only_to_reject_trivial(batch, budget, chosen, seed):
    within = select([("correct_within", {})], batch, budget, seed)
    for rule in RULES:
        kept = select([(rule, chosen)], batch, budget, seed)
        assert all(kept[key] for key in batch if within[key]) or rule == "reject_trivial"


@few
@given(groups, budgets, chains, seeds)
def test_rules_in_turn_keep_no_more_than_the_first_alone(batch, budget, chain, seed):
    first, whole = select(chain[:1], batch, budget, seed), select(chain, batch, budget, seed)
    assert all({p for p, _ in whole[key]} <= {p for p, _ in first[key]} for key in batch)


@few
@given(groups, budgets, options, seeds)
def test_rules_that_prefer_short_ones_keep_the_shortest(batch, budget, chosen, seed):
    within = select([("correct_within", {})], batch, budget, seed)
    for rule in ("shortest_k", "shortest_fraction", "below_mean", "difficulty_adaptive"):
        for key, pairs in select([(rule, chosen)], batch, budget, seed).items():
            left_out = {p for p, _ in within[key]} - {p for p, _ in pairs}
            assert all(batch[key].tokens[p] <= batch[key].tokens[q] for p, _ in pairs for q in left_out)


@few
@given(groups, budgets)
def test_a_wider_budget_keeps_no_less(batch, budget):
    tight, wide = (select([("correct_within", {})], batch, b, (0, 1)) for b in (budget, budget + 5))
    assert all(set(tight[key]) <= set(wide[key]) for key in batch)


# A rule of the user's own


@pytest.fixture
def own_rule(monkeypatch):
    """A function that makes a rule of one's own, which returns what it is given, and applies it to two right responses."""

    def apply(returned: object) -> dict:
        module = SimpleNamespace(choose=lambda group, budget, options, rng: returned)
        monkeypatch.setitem(sys.modules, "own_rules", module)
        chain = [("shortest_k", {"k": 1}), ("own_rules:choose", {})]
        return select(chain, {"p": make_group(right(3, 4))}, 10, (0, 1))

    return apply


def test_a_rule_of_one_s_own_is_found_by_its_import_path(own_rule):
    assert own_rule([0.25, 0]) == {"p": [(0, 0.25)]}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([1.0], r"returned \(1,\) weights for the 2 rollouts of p"),
        ([1.0, -1.0], "a weight that is negative or not finite for p"),
        ([float("nan"), 0], "a weight that is negative or not finite for p"),
        (["keep", "drop"], r"returned \['keep', 'drop'\] \(list\) for p; allowed: an array of 2 numbers from 0 up"),
        (["1", "0"], r"returned \['1', '0'\] \(list\) for p"),
        (None, r"returned None \(NoneType\) for p"),
        ([1.0, 1.0], "keeps rollouts of p that the rules before it have dropped"),
    ],
)
def test_a_rule_that_returns_what_are_no_weights_is_named(own_rule, returned, message):
    with pytest.raises(ValueError, match=f"rule 'own_rules:choose' .*{message}|rule 'own_rules:choose' {message}"):
        own_rule(returned)


def test_a_rule_that_fails_is_tried_before_anything_is_sampled_and_named(monkeypatch):
    module = SimpleNamespace(choose=lambda group, budget, options, rng: group.tokens / options["scale"])
    monkeypatch.setitem(sys.modules, "own_rules", module)
    with pytest.raises(
        ValueError, match=r"rule 'own_rules:choose' failed on the rollouts of a made-up(.|\n)*KeyError: 'scale'"
    ):
        try_rules([("own_rules:choose", {})])
    try_rules([("own_rules:choose", {"scale": 100.0})])


def test_a_rule_is_given_its_options_the_budget_and_a_seeded_rng(monkeypatch):
    given_to = []
    module = SimpleNamespace(
        choose=lambda group, budget, options, rng: given_to.append((budget, options, rng.random())) or group.candidates
    )
    monkeypatch.setitem(sys.modules, "own_rules", module)
    select([("own_rules:choose", {"a": 1})], {"p": make_group(right(3))}, 10, (4, 2))
    assert given_to == [(10, {"a": 1}, random.Random("4/2/p").random())]


# Statistics


@few
@given(groups, budgets)
def test_statistics_count_what_was_kept(batch, budget):
    batch = {key: group for key, group in batch.items() if len(group.tokens)} or {"p": make_group(right(1))}
    kept = select([("correct_within", {})], batch, budget, (0, 1))
    statistics = describe(batch, kept)
    assert statistics["rollouts"] == sum(len(group.tokens) for group in batch.values())
    assert statistics["kept"] == sum(map(len, kept.values()))
    assert 0 <= statistics["kept_share"] <= statistics["before"]["accuracy"] <= 1
    lengths = [batch[key].tokens[p] for key, pairs in kept.items() for p, _ in pairs]
    mean = statistics["after"]["tokens_mean"]
    assert mean is None if not lengths else mean == pytest.approx(np.mean(lengths))


def test_statistics_before_and_after_worked_out():
    batch = {"p": make_group(right(4, 8)), "q": make_group([(False, True, 6), (False, False, 10)])}
    statistics = describe(batch, select([("correct_within", {})], batch, 5, (0, 1)))
    # Before: right 2 of 4, truncated 1 of 4, mean (4 + 8 + 6 + 10) / 4; p is all right, q all wrong. After: the one of 4 tokens.
    assert (statistics["kept_share"], statistics["prompts_kept"], statistics["weight_sum"]) == (0.25, 1, 1.0)
    before = statistics["before"]
    assert (before["accuracy"], before["truncated"], before["tokens_mean"]) == (0.5, 0.25, 7.0)
    assert (before["prompts_all_right"], before["prompts_all_wrong"]) == (0.5, 0.5)
    assert (before["tokens_right"], before["tokens_wrong"]) == (6.0, 8.0)
    assert (statistics["after"]["tokens_mean"], statistics["after"]["tokens_sum"]) == (4.0, 4)
