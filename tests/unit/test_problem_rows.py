"""Rows as problems: columns by name and by path, answers, filters, and what is refused."""

from functools import partial

import pytest

from opsft.problem_cells import text_at
from opsft.problem_rows import Layout, Reading, first_match, last_match, read_rows
from opsft.problems import Problem

COLUMNS = {"question": "question", "answer": "answer", "id": None, "level": None}
VERL = {"prompt": [{"role": "user", "content": "1 + 1?"}], "reward_model": {"ground_truth": 2}, "a.b": "x"}


def read(rows: list[dict], layout: Layout) -> Reading:
    return read_rows(rows, list(rows[0]), layout, "where")


def hashes_layout(**given) -> Layout:
    find = partial(last_match, pattern="#### (.*)")
    return Layout(COLUMNS, find_answer=find, answer_rule="answer_pattern '#### (.*)'", **given)


@pytest.mark.parametrize(
    ("text", "pattern", "answer"),
    [
        ("1 + 1 = 2\n#### 2", r"####\s*(.+)$", "2"),
        ("#### 1\n#### 2 \n", r"####\s*(.+)$", "2"),
        ("no mark", r"####\s*(.+)$", None),
        ("a=1 b", r"a=(\d)|b", "1"),
        ("b", r"a=(\d)|b", None),
    ],
)
def test_an_answer_is_the_first_group_of_the_last_match(text, pattern, answer):
    assert last_match(text, pattern) == answer


def test_an_answer_without_a_rule_is_the_whole_text_stripped():
    assert read([{"question": "q", "answer": " 4 2 "}], Layout(COLUMNS)).problems == [Problem("0", "q", "4 2", None)]


def test_rows_in_which_no_answer_is_found_are_named_with_how_it_was_looked_for():
    rows = [{"question": "q", "answer": "#### 1" if i % 2 else "1"} for i in range(14)]
    message = (
        r"^where: no answer in row 0, 2, 4, 6, 8 and 2 more \(column 'answer' was looked through for "
        r"answer_pattern '#### \(\.\*\)'\); `unusable: drop` leaves such rows out$"
    )
    with pytest.raises(ValueError, match=message):
        read(rows, hashes_layout())


def test_rows_without_an_answer_can_be_left_out_and_the_others_keep_their_numbers():
    rows = [{"question": "q", "answer": answer} for answer in ("#### 1", None, "", "1", "#### ", "#### 6")]
    reading = read(rows, hashes_layout(drop_unanswered=True))
    assert reading == Reading([Problem("0", "q", "1", None), Problem("5", "q", "6", None)], 6, [], [1, 2, 3, 4])


@pytest.mark.parametrize("answer", [None, "", " \n"])
def test_an_empty_answer_is_none(answer):
    with pytest.raises(ValueError, match="where: no answer in row 1 "):
        read([{"question": "a", "answer": 3}, {"question": "b", "answer": answer}], Layout(COLUMNS))


def test_a_filter_keeps_the_rows_that_meet_every_condition():
    rows = [{"question": "q", "answer": i, "level": i % 3, "meta": {"kind": "ab"[i % 2]}} for i in range(6)]
    reading = read(rows, Layout(COLUMNS, {"level": [0, 2], "meta.kind": {"matches": "^a$"}}))
    assert [problem.id for problem in reading.problems] == ["0", "2"]
    assert (reading.rows, reading.filtered) == (6, [1, 3, 4, 5])


def test_what_the_filter_takes_out_needs_no_answer():
    rows = [{"question": "q", "answer": None, "domain": "code"}, {"question": "q", "answer": 1, "domain": "math"}]
    assert len(read(rows, Layout(COLUMNS, {"domain": ["math"]})).problems) == 1


def test_a_filter_that_does_not_fit_its_column_is_named_with_the_row():
    rows = [{"question": "q", "answer": 1, "level": level} for level in (1, "Level 5")]
    with pytest.raises(ValueError, match=r"^where: row 1: filter\.level: 'Level 5' is no number$"):
        read(rows, Layout(COLUMNS, {"level": {"min": 0}}))


def test_a_missing_column_is_named_with_the_key_and_with_those_that_are_there():
    message = (
        r"^where: no column for columns\.level \('hard'\), filter\.kind \('kind'\); the columns are question, answer$"
    )
    with pytest.raises(ValueError, match=message):
        read([{"question": "q", "answer": 1}], Layout({**COLUMNS, "level": "hard"}, {"kind": ["a"]}))


def test_dots_lead_into_nested_columns():
    columns = {"question": "prompt.0.content", "answer": "reward_model.ground_truth", "id": "a.b", "level": None}
    assert read([VERL], Layout(columns)).problems == [Problem("x", "1 + 1?", "2", None)]
    with pytest.raises(ValueError, match=r"no column for columns\.question"):
        read([VERL], Layout({**columns, "question": "messages.0.content"}))


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("prompt.-1.role", "user"),
        ("prompt.1.role", None),
        ("prompt.first.role", None),
        ("reward_model.style", None),
        ("a.b", "x"),
        ("a.b.c", None),
        (None, None),
    ],
)
def test_a_nested_value_that_is_not_there_is_none(column, text):
    assert text_at(VERL, column) == text


def test_a_nested_answer_that_some_rows_lack_is_named_by_its_row():
    columns = {**COLUMNS, "question": "prompt.0.content", "answer": "reward_model.ground_truth"}
    with pytest.raises(ValueError, match="no answer in row 1 "):
        read([VERL, {**VERL, "reward_model": {"style": "rule"}}], Layout(columns))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "prompt.0.text",
            r"'prompt\.0' holds a dict of role, content in the first row; the columns are prompt, reward_model",
        ),
        ("prompt.4.content", r"'prompt' holds a list of 1 "),
        ("a.b.c", None),
        ("reward_model.ground_truth.0", r"'reward_model\.ground_truth' holds 2 "),
    ],
)
def test_a_path_that_leads_nowhere_is_named_with_what_is_there(name, message):
    layout = Layout({**COLUMNS, "question": "a.b", "answer": "reward_model.ground_truth", "level": name})
    wanted = (
        rf"^where: columns\.level \('{name}'\) leads nowhere: {message}" if message else "no column for columns.level"
    )
    with pytest.raises(ValueError, match=wanted):
        read([VERL], layout)
    with pytest.raises(ValueError, match=r"filter\.prompt\.0\.text .* leads nowhere"):
        read([VERL], Layout(layout.columns | {"level": None}, {"prompt.0.text": ["x"]}))


@pytest.mark.parametrize("answer", [float("nan"), []])
def test_what_stands_for_an_empty_cell_is_no_answer(answer):
    with pytest.raises(ValueError, match="where: no answer in row 0 "):
        read([{"question": "a", "answer": answer}], Layout(COLUMNS))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["1", "2"], r"column 'answer' holds a list of 2; a text or a number is needed, such as 'answer\.0'"),
        ({"value": 1}, r"holds a dict of value; a text or a number is needed, such as 'answer\.value'"),
        (b"\x89PNG", r"holds 4 bytes; "),
        (float("inf"), r"holds inf; "),
        ("\ud800", r"holds half of a surrogate pair"),
    ],
)
def test_a_cell_that_is_no_text_is_refused_with_its_row(value, message):
    with pytest.raises(ValueError, match=f"^where: row 1: .*{message}"):
        read([{"question": "a", "answer": 1}, {"question": "a", "answer": value}], Layout(COLUMNS))


def test_a_number_too_large_to_compare_is_refused():
    with pytest.raises(ValueError, match=r"^where: row 0: filter\.answer: 1000*\.* is no number$"):
        read([{"question": "a", "answer": 10**400}], Layout(COLUMNS, {"answer": {"min": 0}}))


def test_a_question_is_cut_out_of_its_column():
    find = partial(first_match, pattern=r"(?s)Problem: (.*?)\s*Answer:")
    layout = Layout(COLUMNS, find_question=find)
    rows = [{"question": "Solve it.\nProblem: 1 +\n1?\nAnswer:", "answer": 2}]
    assert read(rows, layout).problems == [Problem("0", "1 +\n1?", "2", None)]
    with pytest.raises(ValueError, match=r"^where: row 1: question_pattern finds nothing in column 'question'"):
        read([*rows, {"question": "1 + 1?", "answer": 2}], layout)


def test_several_answers_are_joined_by_key():
    rows = [{"question": "q", "answer": answer} for answer in (["1", " 2"], [3], "4")]
    problems = read(rows, Layout(COLUMNS, joins_answers=True)).problems
    assert [problem.answer for problem in problems] == ["1, 2", "3", "4"]
    with pytest.raises(ValueError, match="no answer in row 0 "):
        read([{"question": "q", "answer": []}], Layout(COLUMNS, joins_answers=True))


@pytest.mark.parametrize("answer", ["\x0crac{1}{2}", "5\x1b[2J", "5\x00"])
def test_an_answer_with_control_characters_is_refused_or_left_out_by_key(answer):
    rows = [{"question": "q", "answer": "1\n"}, {"question": "q", "answer": answer}]
    with pytest.raises(
        ValueError, match=r"^where: row 1: the answer '.*\\x.*' holds control characters, .*`unusable: drop`"
    ):
        read(rows, Layout(COLUMNS))
    assert read(rows, Layout(COLUMNS, drop_unanswered=True)).unanswered == [1]
