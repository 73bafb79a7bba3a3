"""Sets of problems: what is refused in them, and how it is said."""

import pytest

from opsft.problems import Problem, check_problems, some_of


def problem(identity: str, question: str = "q", answer: str = "1") -> Problem:
    return Problem(identity, question, answer, None)


def test_a_good_set_passes():
    problems = [problem("a"), problem("b", answer="-7")]
    check_problems(problems, "set")


@pytest.mark.parametrize(
    ("problems", "message"),
    [
        ([], "problem set 'set' is empty"),
        (
            [problem("a"), problem("b"), problem("a")],
            "problem set 'set': ids occur more than once: problem a; `duplicates: drop` ",
        ),
        (
            [problem("a\x1b[2J"), problem(" ")],
            r"an id is empty or holds control characters: problem 'a\\x1b\[2J', ' '; ",
        ),
        ([problem("a"), problem("b", question=" \n")], "problem set 'set': empty question in problem b$"),
    ],
)
def test_what_would_cost_gpu_time_for_nothing_is_refused(problems, message):
    with pytest.raises(ValueError, match=message):
        check_problems(problems, "set")


def test_a_list_in_a_message_stays_short():
    assert some_of([1, 2], "row") == "row 1, 2"
    assert some_of(list(range(8)), "row") == "row 0, 1, 2, 3, 4 and 3 more"
