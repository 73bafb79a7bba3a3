"""maj@k against a count of votes written out, and by hand."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsft.estimators.majority import MAX_SUBSETS, k_subsets, majority_at_k


def one_problem(*answers: str | None, unfinished: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """answers, matched and finished, [1, n] each; an answer is matched when it begins with "r"."""
    row = np.empty((1, len(answers)), dtype=object)
    row[0] = answers
    matched = np.array([[answer is not None and answer.startswith("r") for answer in answers]])
    finished = np.array([[sample not in unfinished for sample in range(len(answers))]])
    return row, matched, finished


def enumerated(answers: np.ndarray, finished: np.ndarray, k: int) -> float:
    """maj@k of one problem [1, n] by counting the votes of every subset."""
    credits = []
    for subset in itertools.combinations(range(answers.shape[1]), k):
        votes = Counter(answers[0, i] for i in subset if finished[0, i] and answers[0, i] is not None)
        winners = [answer for answer in votes if votes[answer] == max(votes.values())]
        credits.append(sum(answer.startswith("r") for answer in winners) / len(winners) if winners else 0.0)
    return float(np.mean(credits))


samples_of_a_problem = st.lists(
    st.tuples(st.sampled_from(["r1", "r2", "w1", "w2", None]), st.booleans()), min_size=1, max_size=7
)


@settings(max_examples=100, deadline=None)
@given(samples_of_a_problem, st.data())
def test_equals_a_count_over_all_subsets(samples, data):
    k = data.draw(st.integers(1, len(samples)))
    unfinished = tuple(i for i, (_, done) in enumerate(samples) if not done)
    answers, matched, finished = one_problem(*(answer for answer, _ in samples), unfinished=unfinished)
    assert majority_at_k(answers, matched, finished, k)[0] == pytest.approx(enumerated(answers, finished, k))


@pytest.mark.parametrize(
    ("answers", "unfinished", "expected"),
    [
        (("r", "r", "w"), (), 1),
        (("r", "w", "w"), (), 0),
        (("r", "w"), (), 1 / 2),
        (("r", "w", "v"), (), 1 / 3),
        (("r1", "r2", "w"), (), 2 / 3),
        (("r", None, None), (), 1),
        ((None, None, None), (), 0),
        (("r", "w", "w"), (1, 2), 1),
        (("r", "r", "w"), (0, 1), 0),
        (("r", "r", "r"), (0, 1, 2), 0),
    ],
)
def test_worked_votes_of_all_samples(answers, unfinished, expected):
    votes = one_problem(*answers, unfinished=unfinished)
    assert majority_at_k(*votes, k=len(answers))[0] == pytest.approx(expected)


def test_worked_expectation_over_subsets():
    # Pairs of r, r, w: one of two right ones (1), two of a tie (1/2 each).
    assert majority_at_k(*one_problem("r", "r", "w"), k=2)[0] == pytest.approx(2 / 3)


def test_maj_at_1_is_the_share_of_finished_right_answers():
    votes = one_problem("r", "r", "w", None, unfinished=(1,))
    assert majority_at_k(*votes, k=1)[0] == pytest.approx(1 / 4)


def test_an_answer_proved_once_is_right_for_all_that_gave_it():
    answers, _, finished = one_problem("x", "x", "y", unfinished=(0,))
    proved_on_the_truncated_one = np.array([[True, False, False]])
    assert majority_at_k(answers, proved_on_the_truncated_one, finished, k=3)[0] == pytest.approx(1 / 2)


def test_a_problem_does_not_depend_on_its_neighbours():
    rng = np.random.default_rng(0)
    answers = rng.choice(np.array(["r", "w", "v"], dtype=object), size=(6, 20))
    matched, finished = answers == "r", rng.random((6, 20)) < 0.9
    together = majority_at_k(answers, matched, finished, k=7)
    alone = [majority_at_k(answers[[i]], matched[[i]], finished[[i]], k=7)[0] for i in range(6)]
    np.testing.assert_array_equal(together, alone)


def test_subsets_are_all_of_them_up_to_the_limit():
    subsets = k_subsets(12, 4, seed=0)
    assert len(np.unique(subsets, axis=0)) == len(subsets) == 495
    assert (subsets.sum(axis=1) == 4).all()


def test_more_subsets_than_the_limit_are_drawn_evenly_under_the_seed():
    subsets = k_subsets(16, 8, seed=0)
    assert subsets.shape == (MAX_SUBSETS, 16)
    assert (subsets.sum(axis=1) == 8).all()
    np.testing.assert_allclose(subsets.mean(axis=0), 0.5, atol=0.06)
    np.testing.assert_array_equal(subsets, k_subsets(16, 8, seed=0))
    assert (subsets != k_subsets(16, 8, seed=1)).any()


def test_random_subsets_come_near_the_enumeration():
    answers, matched, finished = one_problem(*["r"] * 6, *["w"] * 5, *["v"] * 2, None)
    approximate = majority_at_k(answers, matched, finished, k=7)[0]
    # 3,432 subsets, of which 1,000 are drawn: the standard error is at most 0.016.
    assert approximate == pytest.approx(enumerated(answers, finished, 7), abs=0.05)


@pytest.mark.parametrize("k", [0, 4])
def test_k_beyond_the_samples_is_refused(k):
    with pytest.raises(ValueError, match=f"maj@{k} with 3 samples"):
        majority_at_k(*one_problem("r", "w", "w"), k=k)
