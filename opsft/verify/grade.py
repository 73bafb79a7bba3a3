"""Grade (answer, gold) pairs with a verifier module, and know whether the verifier can be trusted."""

from collections.abc import Callable, Sequence
from types import ModuleType

from opsft.verify.errors import VerifierBroken

Pair = tuple[str, str]
"""(answer, gold)"""


def grade_pair(module: ModuleType, answer: str, gold: str) -> str:
    """`correct`, `wrong`, `unparseable_gold` or `unparseable_answer`; whatever a verifier raises is a grade."""
    try:
        module.check_gold(gold)
    except Exception:
        return "unparseable_gold"
    try:
        return "correct" if module.matches(answer, gold) else "wrong"
    except Exception:
        return "unparseable_answer"


def grade_in_process(
    module: ModuleType, pairs: Sequence[Pair], progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Grade `pairs` in this process, with a self-test before and after. Raises VerifierBroken."""
    check_self_test(module, [grade_pair(module, *pair) for pair in self_test_pairs(module)])
    grades = []
    for pair in pairs:
        grades.append(grade_pair(module, *pair))
        if progress:
            progress(len(grades), len(pairs))
    check_self_test(module, [grade_pair(module, *pair) for pair in self_test_pairs(module)])
    return grades


def self_test_pairs(module: ModuleType) -> list[Pair]:
    """The pairs of the verifier's self-test, without what their grade should be."""
    return [(answer, gold) for answer, gold, _ in module.SELF_TEST]


def check_self_test(module: ModuleType, grades: Sequence[str]) -> None:
    """Raise VerifierBroken unless `grades` are what the verifier's self-test says of its pairs."""
    for (answer, gold, equal), grade in zip(module.SELF_TEST, grades, strict=True):
        expected = "correct" if equal else "wrong"
        if grade != expected:
            raise VerifierBroken(
                f"self-test of {module.__name__}: answer {answer!r} for gold {gold!r} "
                f"is graded {grade!r}, must be {expected!r}"
            )
