"""Responses that try to hang, exhaust, fool or take over the grader: each gets its verdict, and nothing that it says is run."""

import collections
import pathlib

import pytest
import yaml

from opsft.verify import REASONS, Response, verify

CASES = yaml.safe_load((pathlib.Path(__file__).parents[1] / "data" / "hostile_answers.yaml").read_text())


def text_of(case: dict, canary: pathlib.Path) -> str:
    """The response of a case: a string, or pieces of which [piece, count] is repeated."""
    pieces = [case["text"]] if isinstance(case["text"], str) else case["text"]
    text = "".join(piece if isinstance(piece, str) else piece[0] * piece[1] for piece in pieces)
    return text.replace("CANARY", str(canary))


@pytest.mark.parametrize("verifier", ["math", "integer", "choice", "exact"])
def test_every_hostile_response_gets_its_verdict_and_runs_nothing(verifier, tmp_path):
    canary = tmp_path / "canary"
    cases = [case for case in CASES if case["verifier"] == verifier]
    responses = [Response(text_of(case, canary), case["gold"], True, False) for case in cases]
    verdicts = verify(responses, verifier, workers=2, timeout_s=1.5, memory_mb=1024)
    found = [(case["why"], verdict.reason) for case, verdict in zip(cases, verdicts, strict=True)]
    assert found == [(case["why"], case["reason"]) for case in cases]
    assert [verdict.correct for verdict in verdicts] == [case["reason"] == "correct" for case in cases]
    assert not canary.exists()


def test_the_corpus_is_large_and_holds_every_reason():
    assert len(CASES) >= 60
    assert len({case["why"] for case in CASES}) == len(CASES)
    reasons = collections.Counter(case["reason"] for case in CASES)
    # Nothing takes `math` over its time; what a verifier of one's own can take is in test_verify_own.
    assert set(reasons) == set(REASONS) - {"unfinished", "timeout"}
    assert reasons["correct"] >= 20
