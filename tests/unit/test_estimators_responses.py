"""Responses: folding rows, lengths at the cap, pairing, and refusal of contradictions."""

import numpy as np
import pytest

from opsft.estimators.responses import Responses


def small(**changes) -> Responses:
    """Problems a and b with two samples each: right, truncated with the right answer; wrong, without an answer."""
    fields = {
        "problem_ids": ["a", "b"],
        "correct": np.array([[True, False], [False, False]]),
        "matched": np.array([[True, True], [False, False]]),
        "finished": np.array([[True, False], [True, True]]),
        "tokens": np.array([[5, 7], [6, 8]]),
        "answers": np.array([["1", "1"], ["2", None]], dtype=object),
        "max_tokens": 8,
    }
    return Responses(**{**fields, **changes})


def rows(**changes) -> dict:
    """The columns of `small`, one entry per response."""
    responses = small()
    names = ("correct", "matched", "finished", "tokens", "answers")
    columns = {name: getattr(responses, name).ravel() for name in names}
    keys = {"problem_ids": np.array(["a", "a", "b", "b"], dtype=object), "sample_indices": np.array([0, 1, 0, 1])}
    return {**keys, **columns, "max_tokens": 8, **changes}


def test_rows_fold_to_the_same_arrays_in_any_order():
    shuffle = [2, 1, 3, 0]
    shuffled = {name: column[shuffle] if name != "max_tokens" else column for name, column in rows().items()}
    folded = Responses.from_rows(**shuffled)
    assert folded.problem_ids == ["a", "b"]
    for name in ("correct", "matched", "finished", "tokens", "answers"):
        np.testing.assert_array_equal(getattr(folded, name), getattr(small(), name))


def test_problems_with_different_numbers_of_samples_are_refused():
    uneven = {name: column[:3] if name != "max_tokens" else column for name, column in rows().items()}
    with pytest.raises(ValueError, match="problem b has 1 samples and problem a has 2"):
        Responses.from_rows(**uneven)


def test_a_repeated_row_is_refused():
    with pytest.raises(ValueError, match="1 rows repeat"):
        Responses.from_rows(**rows(sample_indices=np.array([0, 1, 1, 1])))


def test_no_rows_are_refused():
    nothing = {name: column[:0] if name != "max_tokens" else column for name, column in rows().items()}
    with pytest.raises(ValueError, match="no responses"):
        Responses.from_rows(**nothing)


def test_a_truncated_response_counts_at_the_cap():
    np.testing.assert_array_equal(small().lengths, [[5, 8], [6, 8]])


def test_answered_needs_an_answer_and_an_end():
    np.testing.assert_array_equal(small().answered, [[True, False], [True, False]])


def test_pairing_reorders_problems():
    turned = small().in_order_of(["b", "a"])
    assert turned.problem_ids == ["b", "a"]
    np.testing.assert_array_equal(turned.tokens, [[6, 8], [5, 7]])
    np.testing.assert_array_equal(turned.answers, np.array([["2", None], ["1", "1"]], dtype=object))


def test_pairing_different_problems_says_how_many_are_missing():
    with pytest.raises(
        ValueError, match="of the 3 problems of the first 2 are missing from the second, which has 1 others"
    ):
        small().in_order_of(["a", "c", "d"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problem_ids": ["a"]}, "correct has shape"),
        ({"problem_ids": ["a", "a"]}, "2 problem ids, 1 different"),
        ({"correct": np.empty((2, 0), bool)}, "correct has shape"),
        ({"tokens": np.array([[5, 8, 1], [6, 8, 1]])}, "tokens has shape"),
        ({"tokens": np.array([[5.0, 8.0], [6.0, 8.0]])}, "tokens has type float64"),
        ({"tokens": np.array([[5, 9], [6, 8]])}, "between 5 and 9"),
        ({"tokens": np.array([[0, 8], [6, 8]])}, "between 0 and 8"),
        ({"finished": np.array([[1, 0], [1, 1]])}, "finished has type int"),
        ({"correct": np.array([[True, True], [False, False]])}, "1 responses are correct without"),
        ({"correct": np.array([[True, False], [True, False]])}, "1 responses are correct without"),
        ({"answers": np.array([["1", "1"], ["2", np.nan]], dtype=object)}, "an answer is nan"),
    ],
)
def test_contradictions_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)
