"""From responses to verdicts."""

import sys
from types import ModuleType

import pytest

from opsft.verify import REASONS, Response, Verdict, load_verifier, verify
from opsft.verify.errors import UnparseableAnswer, UnparseableGold, VerifierBroken


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

    def matches(self, answer: str, gold: str) -> bool:
        self.compared.append((answer, gold))
        if answer == "bad":
            raise UnparseableAnswer("bad answer")
        if answer == "deep":
            raise RecursionError
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
        (response(r"\boxed{7}"), Verdict(True, True, "7", "correct")),
        (response(r"\boxed{8}"), Verdict(False, False, "8", "wrong")),
        (response("7"), Verdict(False, False, None, "no_answer")),
        (response(r"\boxed{7}", opens_thinking=True), Verdict(False, False, None, "no_answer")),
        (response(r"\boxed{6}</think>\boxed{7}", opens_thinking=True), Verdict(True, True, "7", "correct")),
        (response(r"\boxed{7}", finished=False), Verdict(False, True, "7", "unfinished")),
        (response(r"\boxed{8}", finished=False), Verdict(False, False, "8", "unfinished")),
        (response("so", finished=False), Verdict(False, False, None, "unfinished")),
        (response(r"\boxed{8} \boxed{7}"), Verdict(False, False, "7", "several_answers")),
        (response(r"\boxed{7}", gold="seven"), Verdict(False, False, "7", "unparseable_gold")),
        (response(r"\boxed{seven}"), Verdict(False, False, "seven", "unparseable_answer")),
        (response(r"\boxed{" + "7" * 5000 + "}"), Verdict(False, False, None, "unparseable_answer")),
    ],
)
def test_each_reason(given, verdict):
    assert verdicts([given]) == [verdict]
    assert verdict.reason in REASONS


def test_an_unparseable_gold_matches_no_answer_even_its_own_text():
    assert verdicts([response(r"\boxed{seven}", gold="seven")])[0] == Verdict(False, False, "seven", "unparseable_gold")


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
    graded = verdicts([response(r"\boxed{bad}"), response(r"\boxed{deep}"), response(r"\boxed{7}", gold="bad")], "fake")
    assert [verdict.reason for verdict in graded] == ["unparseable_answer", "unparseable_answer", "unparseable_gold"]


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


@pytest.mark.parametrize("name", ["maths", "pool", "extract", "", "integer.x"])
def test_an_unknown_verifier_is_refused_with_those_there_are(name):
    with pytest.raises(ValueError, match="exact, integer, math are there"):
        load_verifier(name)
