"""Grade one (answer, gold) pair with a verifier, and know whether the verifier can be trusted."""

from opsft.verify.errors import UnevaluatedAnswer, VerifierBroken
from opsft.verify.interface import Verifier

Pair = tuple[str, str]
"""(answer, gold)"""


def grade_pair(verifier: Verifier, answer: str, gold: str) -> str:
    """`correct`, `wrong`, `unevaluated`, `unparseable_gold` or `unparseable_answer`.

    Whatever a verifier raises is a grade, but for MemoryError: it says something of the process, not of the pair.
    """
    try:
        verifier.check_gold(gold)
    except MemoryError:
        raise
    except Exception:
        return "unparseable_gold"
    try:
        return "correct" if verifier.matches(answer, gold) else "wrong"
    except MemoryError:
        raise
    except UnevaluatedAnswer:
        return "unevaluated"
    except Exception:
        return "unparseable_answer"


def run_self_test(verifier: Verifier) -> None:
    """Grade the verifier's self-test here. Raises VerifierBroken with the first pair that is graded wrong."""
    for answer, gold, equal in verifier.self_test:
        grade, expected = grade_pair(verifier, answer, gold), "correct" if equal else "wrong"
        if grade != expected:
            raise VerifierBroken(
                f"self-test of verifier {verifier.name}: answer {answer!r} for gold {gold!r} "
                f"is graded {grade!r}, must be {expected!r}"
            )
