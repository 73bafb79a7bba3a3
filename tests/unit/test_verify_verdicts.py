"""From responses to verdicts."""

import sys
from types import ModuleType

import numpy as np
import pytest

from opsft.estimators.majority import majority_at_k
from opsft.verify import REASONS, Response, Verdict, verify
from opsft.verify.errors import UnevaluatedAnswer, UnparseableAnswer, UnparseableGold, VerifierBroken
from opsft.verify.interface import load_verifier


def response(text: str, gold: str = "7", finished: bool = True, opens_thinking: bool = False) -> Response:
    return Response(text, gold, finished, opens_thinking)


def verdicts(responses: list[Response], verifier: str = "integer", progress=None) -> list[Verdict]:
    return verify(responses, verifier, workers=1, timeout_s=1.0, memory_mb=512, progress=progress)


class FakeVerifier(ModuleType):
    """Counts what it is asked to compare; its answers can be made wrong."""

    NEEDS_WORKERS = False
    SELF_TEST = (("same", "same", True), ("one", "other", False))

    def __init__(self, always: bool | None = None):
        super().__init__("opsft.verify.fake")
        self.always = always
        self.compared: list[tuple[str, str]] = []

    def check_gold(self, gold: str) -> None:
        if gold == "bad":
            raise UnparseableGold("bad gold")

    def canonical(self, answer: str) -> str:
        return answer

    def matches(self, answer: str, gold: str) -> bool:
        self.compared.append((answer, gold))
        if answer == "bad":
            raise UnparseableAnswer("bad answer")
        if answer == "deep":
            raise RecursionError
        if answer == "undone":
            raise UnevaluatedAnswer("undone")
        return answer == gold if self.always is None else self.always


@pytest.fixture
def install(monkeypatch):
    def install_fake(fake: FakeVerifier) -> FakeVerifier:
        monkeypatch.setitem(sys.modules, "opsft.verify.fake", fake)
        return fake

    return install_fake


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (response(r"\boxed{7}"), Verdict(True, True, "7", "7", "correct")),
        (response(r"\boxed{8}"), Verdict(False, False, "8", "8", "wrong")),
        (response("7"), Verdict(False, False, None, None, "no_answer")),
        (response(r"\boxed{7}", opens_thinking=True), Verdict(False, False, None, None, "no_answer")),
        (response(r"\boxed{6}</think>\boxed{7}", opens_thinking=True), Verdict(True, True, "7", "7", "correct")),
        (response(r"\boxed{7}", finished=False), Verdict(False, True, "7", "7", "unfinished")),
        (response(r"\boxed{8}", finished=False), Verdict(False, False, "8", "8", "unfinished")),
        (response("so", finished=False), Verdict(False, False, None, None, "unfinished")),
        (response(r"\boxed{8} \boxed{7}"), Verdict(False, False, "7", "7", "several_answers")),
        (response(r"\boxed{7} \boxed{8}"), Verdict(False, False, "8", "8", "several_answers")),
        (response(r"\boxed{8} \boxed{8.0}"), Verdict(False, False, "8.0", "8", "several_answers")),
        (response(r"\boxed{7} \boxed{7.0}"), Verdict(True, True, "7.0", "7", "correct")),
        (response(r"\boxed{7} \boxed{8}", gold="x"), Verdict(False, False, "8", "8", "unparseable_gold")),
        (response(r"\boxed{7}", gold="seven"), Verdict(False, False, "7", "7", "unparseable_gold")),
        (response(r"\boxed{seven}"), Verdict(False, False, "seven", "seven", "unparseable_answer")),
        (response(r"\boxed{" + "7" * 5000 + "}"), Verdict(False, False, None, None, "unparseable_answer")),
    ],
)
def test_each_reason(given, verdict):
    assert verdicts([given]) == [verdict]
    assert verdict.reason in REASONS


def test_equal_answers_written_differently_are_one_vote():
    boxed = ["1,234", "1234", r"\$1234", "77", "77"]
    given = verdicts([response(rf"\boxed{{{text}}}", gold="1234") for text in boxed])
    assert [verdict.answer for verdict in given] == boxed
    votes, matched = (np.array([[getattr(verdict, name) for verdict in given]]) for name in ("vote", "matched"))
    assert majority_at_k(votes, matched, np.ones((1, 5), bool), k=5) == 1


def test_an_unparseable_gold_matches_no_answer_even_its_own_text():
    assert verdicts([response(r"\boxed{seven}", gold="seven")])[0] == Verdict(
        False, False, "seven", "seven", "unparseable_gold"
    )


def test_no_responses_give_no_verdicts():
    assert verdicts([]) == []


def test_order_is_kept_and_equal_pairs_are_graded_once(install):
    fake = install(FakeVerifier())
    answers = ["1", "2", "1", "3", "2", "1"]
    graded = verdicts([response(rf"\boxed{{{answer}}}", gold="2") for answer in answers], "fake")
    assert [verdict.answer for verdict in graded] == answers
    assert [verdict.correct for verdict in graded] == [answer == "2" for answer in answers]
    self_test = [("same", "same"), ("one", "other")]
    assert fake.compared == [*self_test, ("1", "2"), ("2", "2"), ("3", "2"), *self_test]


def test_progress_counts_the_pairs():
    calls = []
    given = [response(rf"\boxed{{{answer}}}") for answer in (1, 2, 1)]
    verdicts(given, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]


def test_what_a_verifier_raises_is_a_reason(install):
    install(FakeVerifier())
    answers = {"bad": "unparseable_answer", "deep": "unparseable_answer", "undone": "unevaluated"}
    graded = verdicts([response(rf"\boxed{{{answer}}}") for answer in answers], "fake")
    assert [verdict.reason for verdict in graded] == list(answers.values())
    assert verdicts([response(r"\boxed{7}", gold="bad")], "fake")[0].reason == "unparseable_gold"


def test_a_value_may_be_left_undone_on_the_way_but_not_at_the_end(install):
    install(FakeVerifier())
    assert verdicts([response(r"\boxed{undone} = \boxed{7}")], "fake")[0].reason == "correct"
    assert verdicts([response(r"\boxed{7} = \boxed{undone}")], "fake")[0].reason == "unevaluated"
    assert verdicts([response(r"\boxed{undone} = \boxed{8}")], "fake")[0].reason == "several_answers"


def test_a_process_out_of_memory_is_no_grade(install):
    class Exhausted(FakeVerifier):
        def matches(self, answer: str, gold: str) -> bool:
            if answer == "7":
                raise MemoryError
            return super().matches(answer, gold)

    install(Exhausted())
    with pytest.raises(MemoryError):
        verdicts([response(r"\boxed{7}")], "fake")


@pytest.mark.parametrize(("always", "pair"), [(False, "'same' for gold 'same'"), (True, "'one' for gold 'other'")])
def test_a_verifier_that_fails_its_self_test_is_refused_with_the_pair(install, always, pair):
    install(FakeVerifier(always=always))
    with pytest.raises(VerifierBroken, match=pair):
        verdicts([response(r"\boxed{7}")], "fake")


def test_a_verifier_that_breaks_while_grading_is_refused(install):
    class BreaksLater(FakeVerifier):
        def matches(self, answer: str, gold: str) -> bool:
            return super().matches(answer, gold) and len(self.compared) < 4

    install(BreaksLater())
    with pytest.raises(VerifierBroken, match="same"):
        verdicts([response(r"\boxed{7}")], "fake")


@pytest.mark.parametrize("name", ["maths", "pool", "extract", "no_eval", "", "integer.x"])
def test_an_unknown_verifier_is_refused_with_those_there_are(name):
    with pytest.raises(
        ValueError, match=r"choice, exact, integer, math are there, and your own as package\.module:function"
    ):
        load_verifier(name)
