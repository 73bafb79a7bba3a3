"""Grade one (answer, gold) pair with a verifier, and know whether the verifier can be trusted."""

import traceback

from opsft.verify.errors import OwnVerifierFailed, UnevaluatedAnswer, UnparseableAnswer, UnparseableGold, VerifierBroken
from opsft.verify.interface import Verifier

Pair = tuple[str, str]
"""(answer, gold)"""


def grade_pair(verifier: Verifier, answer: str, gold: str) -> str:
    """`correct`, `wrong`, `unevaluated`, `unparseable_gold` or `unparseable_answer`.

    MemoryError says something of the process, not of the pair, and is raised. Whatever else a verifier of this project raises is a
    grade, for the libraries below it raise what they like. What one of the user's own raises beside the errors that are named for it
    is a fault of its code. Raises OwnVerifierFailed for it, and where it returns neither True nor False.
    """
    try:
        verifier.check_gold(gold)
        return "correct" if _is_true(verifier.matches(answer, gold)) else "wrong"
    except MemoryError:
        raise
    except UnparseableGold:
        return "unparseable_gold"
    except UnevaluatedAnswer:
        return "unevaluated"
    except (UnparseableAnswer, RecursionError):
        return "unparseable_answer"
    except Exception as error:
        if not verifier.is_own:
            return "unparseable_answer"
        raise OwnVerifierFailed(
            f"verifier {verifier.name!r} failed on answer {answer[:200]!r} for gold {gold[:200]!r}; an answer that it cannot read "
            f"is one for which it raises opsft.verify.errors.UnparseableAnswer.\n{_own_part(error)}"
        ) from None


def _is_true(found: object) -> bool:
    """What a verifier returned; numpy has booleans of its own. Raises TypeError for anything else: "no" would count as true."""
    if isinstance(found, bool) or getattr(getattr(found, "dtype", None), "kind", None) == "b":
        return bool(found)
    raise TypeError(f"matches returned {found!r}; allowed: True and False")


def _own_part(error: Exception) -> str:
    """The traceback without this module's own line."""
    return "".join(traceback.format_exception(error.with_traceback(error.__traceback__.tb_next))).rstrip()


def run_self_test(verifier: Verifier) -> None:
    """Grade the verifier's self-test here. Raises VerifierBroken with the first pair that is graded wrong."""
    for answer, gold, equal in verifier.self_test:
        grade, expected = grade_pair(verifier, answer, gold), "correct" if equal else "wrong"
        if grade != expected:
            raise VerifierBroken(
                f"self-test of verifier {verifier.name}: answer {answer!r} for gold {gold!r} "
                f"is graded {grade!r}, must be {expected!r}"
            )
