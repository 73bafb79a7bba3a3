"""Say for each rollout whether its final answer is right.

`verify` extracts the final boxed answer of every response, grades each different (answer, gold) pair once, and
gives one verdict a response. How two answers are compared is the verifier's part: a module `opsft.verify.{name}` with

- `NEEDS_WORKERS: bool`: whether hostile text could hang or exhaust it, so that it must run in worker processes;
- `SELF_TEST: tuple[tuple[str, str, bool], ...]`: (answer, gold, equal) triples that it is known to grade right;
- `check_gold(gold: str) -> None`, which raises `UnparseableGold`;
- `matches(answer: str, gold: str) -> bool`, which may raise `UnparseableAnswer`.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType

from opsft.verify.extract import Extracted, final_answer
from opsft.verify.grade import Pair, grade_in_process

REASONS = {
    "correct": "finished, and the final answer matches the gold",
    "wrong": "finished, and the final answer does not match the gold",
    "no_answer": "finished, without a boxed answer after the thinking",
    "unfinished": "cut off by the length limit: never correct, though a truncated text may hold a matching answer",
    "several_answers": "finished, with several different boxed answers after the thinking: counted as wrong",
    "timeout": "grading the answer took longer than the time limit",
    "unparseable_gold": "the verifier cannot read the gold: a fault of the data, not of the response",
    "unparseable_answer": "the verifier cannot read the answer, or grading it broke the memory limit or its worker",
}

MACHINERY = frozenset({"errors", "extract", "grade", "pool"})


@dataclass(frozen=True)
class Response:
    """What is to be verified.

    `finished` is False where the length limit cut the response off. `opens_thinking` is True where the prompt has
    already opened the thinking, so that `text` starts inside it.
    """

    text: str
    gold: str
    finished: bool
    opens_thinking: bool


@dataclass(frozen=True)
class Verdict:
    """`matched` is the comparison alone; `correct` also asks that the response finished. `reason` is a key of REASONS.

    `answer` is the last boxed answer after the thinking; None where there is none, or it is too long to be one.
    """

    correct: bool
    matched: bool
    answer: str | None
    reason: str


def verify(
    responses: list[Response],
    verifier: str,
    workers: int,
    timeout_s: float,
    memory_mb: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Verdict]:
    """One verdict a response, in their order; identical (answer, gold) pairs are graded once.

    `workers`, `timeout_s` (seconds a pair) and `memory_mb` (address space of a worker in MiB) bound a verifier that
    needs worker processes and are ignored by the others. The workers are spawned, so the calling script must keep its
    work under `if __name__ == "__main__"`. `progress` is called with the number of pairs graded and of all pairs.

    Raises ValueError for an unknown verifier or a limit out of bounds, VerifierBroken where the self-test fails.
    """
    module = load_verifier(verifier)
    extracted = [final_answer(response.text, response.opens_thinking) for response in responses]
    pairs = list(dict.fromkeys(_pairs_to_grade(responses, extracted)))
    if module.NEEDS_WORKERS:
        from opsft.verify.pool import Limits, grade_in_workers

        grades = grade_in_workers(module.__name__, pairs, Limits(workers, timeout_s, memory_mb), progress)
    else:
        grades = grade_in_process(module, pairs, progress)
    grade_of = dict(zip(pairs, grades, strict=True))
    return [_verdict(response, found, grade_of) for response, found in zip(responses, extracted, strict=True)]


def load_verifier(name: str) -> ModuleType:
    """The module `opsft.verify.{name}`. Raises ValueError where there is no such verifier."""
    full_name = f"{__name__}.{name}"
    try:
        if name not in MACHINERY:
            return importlib.import_module(full_name)
    except ModuleNotFoundError as error:
        if error.name != full_name:
            raise
    available = sorted({module.name for module in pkgutil.iter_modules(__path__)} - MACHINERY)
    raise ValueError(f"verifier {name!r} is unknown: {', '.join(available)} are there")


def _pairs_to_grade(responses: list[Response], extracted: list[Extracted]) -> Iterable[Pair]:
    for response, found in zip(responses, extracted, strict=True):
        if found.answer is not None and found.problem is None:
            yield found.answer, response.gold


def _verdict(response: Response, found: Extracted, grade_of: dict[Pair, str]) -> Verdict:
    grade = found.problem or grade_of[found.answer, response.gold]
    matched = grade == "correct"
    return Verdict(
        correct=matched and response.finished,
        matched=matched,
        answer=found.answer,
        reason=grade if response.finished else "unfinished",
    )
