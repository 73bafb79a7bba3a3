"""Grade many (answer, gold) pairs: here, or in worker processes where the verifier needs them."""

from collections.abc import Callable, Sequence

from opsft.verify.interface import Verifier, load_verifier
from opsft.verify.pair import Pair, grade_pair, run_self_test


def grade_pairs(
    pairs: Sequence[Pair],
    verifier: str,
    workers: int,
    timeout_s: float,
    memory_mb: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[Pair, str]:
    """The grades of different pairs; limits, progress and errors as in `opsft.verify.verify`."""
    loaded = load_verifier(verifier)
    if loaded.needs_workers:
        from opsft.verify.pool import Limits, grade_in_workers

        grades = grade_in_workers(loaded, pairs, Limits(workers, timeout_s, memory_mb), progress)
    else:
        grades = grade_in_process(loaded, pairs, progress)
    return dict(zip(pairs, grades, strict=True))


def grade_in_process(
    verifier: Verifier, pairs: Sequence[Pair], progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Grade `pairs` in this process, with a self-test before and after. Raises VerifierBroken."""
    run_self_test(verifier)
    grades = []
    for pair in pairs:
        grades.append(grade_pair(verifier, *pair))
        if progress:
            progress(len(grades), len(pairs))
    run_self_test(verifier)
    return grades
