"""The built-in arithmetic task: right answers, two splits that share nothing, and its limits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsft.tasks.arithmetic import SPLITS, as_question, make_problems, split_of


@settings(max_examples=30)
@given(st.sampled_from(SPLITS), st.integers(1, 40), st.integers(0, 3), st.integers(3, 6), st.integers(0, 3))
def test_every_problem_is_different_right_and_of_its_split(split, count, seed, terms_min, more):
    problems = make_problems(split, count, seed, terms_min, terms_min + more)
    assert len({problem["question"] for problem in problems}) == len(problems) == count
    for problem in problems:
        terms = [int(term) for term in problem["question"].split(" + ")]
        assert problem["answer"] == str(sum(terms))
        assert problem["level"] == len(terms)
        assert terms_min <= len(terms) <= terms_min + more
        assert all(0 <= term <= 9 for term in terms)
        assert split_of(problem["question"]) == split


def test_problems_are_the_same_on_every_machine():
    assert make_problems("test", 1, 0) == [{"question": "3 + 7 + 2 + 1 + 5 + 9", "answer": "27", "level": 6}]


def test_more_problems_of_one_seed_begin_with_the_fewer():
    assert make_problems("train", 20, 1)[:5] == make_problems("train", 5, 1)
    assert make_problems("train", 5, 2) != make_problems("train", 5, 1)


def test_about_a_fifth_of_the_questions_is_for_testing():
    questions = [as_question([a, b, c]) for a in range(10) for b in range(10) for c in range(10)]
    share = sum(split_of(question) == "test" for question in questions) / len(questions)
    # 52 of the 256 values of a byte are divisible by 5; three standard errors of 1000 draws are 0.038.
    assert share == pytest.approx(52 / 256, abs=0.038)


def test_the_two_splits_are_all_questions():
    questions = {as_question([a, b]) for a in range(10) for b in range(10)}
    of_test = {question for question in questions if split_of(question) == "test"}
    made = {problem["question"] for problem in make_problems("test", len(of_test), 0, 2, 2)}
    assert made == of_test
    with pytest.raises(ValueError, match=f"{len(of_test) + 1} problems of 2 to 2 terms asked for, {len(of_test)} diff"):
        make_problems("test", len(of_test) + 1, 0, 2, 2)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split 'dev' is unknown: the arithmetic task has train, test"):
        make_problems("dev", 1, 0)


@pytest.mark.parametrize("terms", [(1, 3), (5, 4), (3, 12)])
def test_a_number_of_terms_out_of_bounds_is_refused(terms):
    with pytest.raises(ValueError, match="2 <= terms_min <= terms_max <= 11 is needed"):
        make_problems("train", 1, 0, *terms)
