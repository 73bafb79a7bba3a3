"""Options of a multiple choice: how they are read, what the model is asked, and which letter is right."""

import pytest

from opsft.problem_options import Options
from opsft.problem_rows import Layout, read_rows

COLUMNS = {"question": "q", "answer": "a", "id": None, "level": None}
THREE = ["3", "4", "5"]


def read(row: dict, columns: tuple = ("o",), answer_is: str = "letter", seed: int | None = None, **layout):
    row = {"q": "2 + 2?", **row}
    return read_rows([row], list(row), Layout(COLUMNS, options=Options(columns, answer_is, seed), **layout), "where")


@pytest.mark.parametrize(
    ("row", "columns", "answer_is"),
    [
        ({"o": THREE, "a": "B"}, ("o",), "letter"),
        ({"o": THREE, "a": "(b)"}, ("o",), "letter"),
        ({"o": THREE, "a": 1}, ("o",), "index_from_0"),
        ({"o": THREE, "a": 1.0}, ("o",), "index_from_0"),
        ({"o": THREE, "a": 2}, ("o",), "index_from_1"),
        ({"o": [3, 4, 5], "a": 4}, ("o",), "option"),
        ({"o": ["A) 3", "B) 4", "C) 5"], "a": "B"}, ("o",), "letter"),
        ({"o": ["(A) 3", "(B) 4", "(C) 5"], "a": "(B) 4"}, ("o",), "option"),
        ({"o": {"a": "3", "b": "4", "c": "5", "d": None}, "a": "b"}, ("o",), "letter"),
        ({"o": {"text": THREE, "label": ["1", "2", "3"]}, "a": "2"}, ("o",), "letter"),
        ({"o1": "3", "o2": "4", "o3": "5", "o4": None, "a": "B"}, ("o1", "o2", "o3", "o4"), "letter"),
        ({"o": {"x": ["3", " 4\n", "5"]}, "a": "B"}, ("o.x",), "letter"),
    ],
)
def test_every_layout_becomes_the_same_question_and_letter(row, columns, answer_is):
    (problem,) = read(row, columns, answer_is).problems
    assert (problem.question, problem.answer) == ("2 + 2?\n\nA) 3\nB) 4\nC) 5", "B")


def test_options_are_shuffled_by_seed_and_question_and_the_letter_goes_along():
    orders, letters = set(), set()
    for number in range(40):
        row = {"q": f"question {number}", "o": THREE, "a": "4"}
        (problem,) = read(row, answer_is="option", seed=0).problems
        assert f"\n{problem.answer}) 4" in problem.question
        assert read(row, answer_is="option", seed=0).problems == [problem]
        orders.add(problem.question.partition("\n")[2])
        letters.add(problem.answer)
    assert letters == {"A", "B", "C"}
    assert len(orders) == 6


@pytest.mark.parametrize(
    ("row", "answer_is", "message"),
    [
        (
            {"o": THREE, "a": 1},
            "letter",
            "the answer '1' is a number, which may count from 0 or from 1: set `answer_from`",
        ),
        ({"o": THREE, "a": 3}, "index_from_0", "the answer '3' is no index of 3 options .*; allowed: 0 to 2"),
        ({"o": THREE, "a": 0}, "index_from_1", "allowed: 1 to 3"),
        ({"o": THREE, "a": -1}, "index_from_0", "the answer '-1' is no index"),
        ({"o": "3, 4", "a": "A"}, "letter", "column 'o' holds '3, 4'; a list or a dict of the options is needed"),
        ({"o": ["3"], "a": "A"}, "letter", "2 to 10 options are needed"),
        ({"o": ["3"] * 11, "a": "A"}, "letter", "2 to 10 options are needed"),
        ({"o": ["3", "", "4"], "a": "A"}, "letter", "none of them empty"),
        ({"o": [b"x", b"y"], "a": "A"}, "letter", "column 'o' holds 1 bytes"),
        ({"o": {"text": THREE, "label": ["A"]}, "a": "A"}, "letter", "a dict of text, label; a list or a dict"),
    ],
)
@pytest.mark.parametrize("drop", [False, True])
def test_options_of_another_form_and_doubtful_indices_are_refused(row, answer_is, message, drop):
    with pytest.raises(ValueError, match=rf"^where: row 0: .*{message}"):
        read(row, answer_is=answer_is, drop_unanswered=drop)


@pytest.mark.parametrize(
    ("row", "answer_is", "message"),
    [
        ({"o": THREE, "a": "D"}, "letter", "the answer 'D' is no letter of 3 options; `answer_from: option` finds"),
        ({"o": THREE, "a": "4.0"}, "option", r"the answer '4\.0' is 0 times among the options"),
        ({"o": ["4", "4", "5"], "a": "4"}, "option", "the answer '4' is 2 times among"),
        ({"o": ["4", "5", "4"], "a": "A"}, "letter", "the right option '4' is there more than once"),
        ({"o": {"a": "3", "b": "4"}, "a": "c"}, "letter", "the answer 'c' is 0 times among"),
        (
            {"o": {"text": ["3", "4", None], "label": ["A", "B", "C"]}, "a": "C"},
            "letter",
            "the answer 'C' is 0 times among",
        ),
    ],
)
def test_an_answer_that_is_none_of_the_options_is_refused_or_left_out_by_key(row, answer_is, message):
    with pytest.raises(ValueError, match=rf"^where: row 0: {message}.*; `unusable: drop` leaves such rows out$"):
        read(row, answer_is=answer_is)
    assert read(row, answer_is=answer_is, drop_unanswered=True).unanswered == [0]


def test_a_missing_column_of_the_options_is_named():
    with pytest.raises(ValueError, match=r"no column for columns\.options\.none \('none'\)"):
        read({"o": THREE, "a": "A"}, ("o", "none"))
