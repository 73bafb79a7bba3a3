"""A verifier of the user's own, by its import path."""

import os
import sys

import pytest

from opsft.verify import Response, verify
from opsft.verify.errors import VerifierBroken
from opsft.verify.interface import load_verifier

LOOSE = """
import os

from opsft.verify.errors import UnparseableAnswer

SELF_TEST = [("a b", "ba", True), ("ab", "ac", False)]


def same_letters(answer, gold):
    if answer == "hang":
        while True:
            pass
    if answer == "who":
        raise UnparseableAnswer(os.getpid())
    if answer == "bug":
        return {}[answer]
    if answer == "no":
        return "no"
    return sorted(answer.replace(" ", "")) == sorted(gold)
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def write_module(name: str, source: str) -> None:
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return write_module


def test_it_grades_in_workers_that_it_cannot_hang(write):
    write("loose", LOOSE + f"\n\ndef check_gold(gold):\n    assert os.getpid() != {os.getpid()}\n")
    answers = {"b a": "correct", "bb": "wrong", "hang": "timeout", "who": "unparseable_answer"}
    responses = [Response(rf"\boxed{{{answer}}}", "ab", True, False) for answer in answers]
    verdicts = verify(responses, "loose:same_letters", workers=1, timeout_s=0.5, memory_mb=512)
    assert [verdict.reason for verdict in verdicts] == list(answers.values())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            "bug",
            r"failed on answer 'bug' for gold 'ab'; .*\nTraceback (.|\n)*return \{\}\[answer\](.|\n)*KeyError: 'bug'",
        ),
        (
            "no",
            r"failed on answer 'no' for gold 'ab'; (.|\n)*TypeError: matches returned 'no'; allowed: True and False",
        ),
    ],
)
def test_what_it_may_not_raise_or_return_ends_the_grading_with_its_own_message(write, answer, message):
    write("buggy", LOOSE)
    with pytest.raises(ValueError, match=r"verifier 'buggy:same_letters' " + message):
        verify([Response(rf"\boxed{{{answer}}}", "ab", True, False)], "buggy:same_letters", 1, 5.0, 512)


def test_one_that_fails_in_its_self_test_shows_its_own_message(write):
    write(
        "failing_test", "SELF_TEST = [('1', '1', True), ('1', '2', False)]\ndef same(answer, gold):\n    return 1 / 0\n"
    )
    with pytest.raises(VerifierBroken, match=r"failed on answer '1' for gold '1'(.|\n)*ZeroDivisionError"):
        verify([], "failing_test:same", 1, 5.0, 512)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module:matches", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("failing:matches", "cannot be imported: ZeroDivisionError"),
        ("untested:same", "needs SELF_TEST, triples .* at least one is equal and one is not"),
        ("one_sided:same", "needs SELF_TEST"),
        ("one_sided:other", "one_sided has no function 'other'"),
    ],
)
def test_one_that_lacks_a_part_is_refused(write, path, message):
    write("failing", "1 / 0")
    write("untested", "def same(answer, gold):\n    return True\n")
    write("one_sided", "SELF_TEST = [('1', '1', True)]\ndef same(answer, gold):\n    return True\n")
    with pytest.raises(ValueError, match=f"verifier .{path}..* {message}"):
        load_verifier(path)
