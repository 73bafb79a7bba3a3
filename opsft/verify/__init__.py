r"""Say for each rollout whether its final answer is right.

`verify` extracts the boxed answers of every response, grades each different (answer, gold) pair once, and gives one verdict a response.
How two answers are compared is the verifier's part, see `opsft.verify.interface`.

Several boxes with different texts are one answer where each of them matches the gold (`\boxed{1/2} = \boxed{0.5}`), or where together they are the
list that the gold is (`x = \boxed{2}, y = \boxed{3}`). A box before the last that the verifier cannot read is no answer. Otherwise they are
`several_answers`, and wrong: who boxes two answers to be right with one has not answered.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from opsft.thinking import THINK, Marks
from opsft.verify.extract import Extracted, final_answers
from opsft.verify.grade import grade_pairs
from opsft.verify.interface import load_verifier
from opsft.verify.pair import Pair

REASONS = {
    "correct": "finished, and the final answer matches the gold",
    "wrong": "finished, and the final answer does not match the gold",
    "no_answer": "finished, without a boxed answer after the thinking",
    "unfinished": "cut off by the length limit: never correct, though a truncated text may hold a matching answer",
    "several_answers": "finished, with different boxed answers after the thinking, not all of them right: counted as wrong",
    "unevaluated": "finished, and the final answer has the gold's value but is arithmetic left undone: counted as wrong",
    "timeout": "grading the answer took longer than the time limit",
    "unparseable_gold": "the verifier cannot read the gold: a fault of the data, not of the response",
    "unparseable_answer": "the verifier cannot read the answer, or grading it broke the memory limit or its worker",
}


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

    `answer` is the last boxed answer after the thinking, and `vote` the same in the verifier's canonical form, by which maj@k tells
    answers apart; None where there is none, or it is too long to be one.
    """

    correct: bool
    matched: bool
    answer: str | None
    vote: str | None
    reason: str


def verify(
    responses: list[Response],
    verifier: str,
    workers: int,
    timeout_s: float,
    memory_mb: int,
    progress: Callable[[int, int], None] | None = None,
    marks: Marks = THINK,
) -> list[Verdict]:
    """One verdict a response, in their order; identical (answer, gold) pairs are graded once.

    `workers`, `timeout_s` (seconds of processor time a pair) and `memory_mb` (address space of a worker in MiB) bound a verifier that
    needs worker processes and are ignored by the others. The workers are spawned, so the calling script must keep its
    work under `if __name__ == "__main__"`. `progress` is called with the number of pairs graded and of all pairs. `marks` are those between which the model thinks.

    Raises ValueError for an unknown verifier or a limit out of bounds, VerifierBroken where the self-test fails.
    """
    extracted = [final_answers(response.text, response.opens_thinking, marks) for response in responses]
    pairs = list(dict.fromkeys(_pairs_to_grade(responses, extracted)))
    grade_of = grade_pairs(pairs, verifier, workers, timeout_s, memory_mb, progress)
    canonical = lru_cache(maxsize=None)(load_verifier(verifier).canonical)
    return [
        _verdict(response, found, grade_of, canonical) for response, found in zip(responses, extracted, strict=True)
    ]


def _pairs_to_grade(responses: list[Response], extracted: list[Extracted]) -> Iterable[Pair]:
    for response, found in zip(responses, extracted, strict=True):
        if found.problem is None:
            for answer in (*found.answers, *_lists(found.answers)):
                yield answer, response.gold


def _lists(answers: tuple[str, ...]) -> list[str]:
    """What several boxes say together: all of them, and all but the last, which may repeat them as a list."""
    return [", ".join(part) for part in (answers, answers[:-1]) if len(part) > 1]


def _verdict(
    response: Response, found: Extracted, grade_of: dict[Pair, str], canonical: Callable[[str], str]
) -> Verdict:
    answer = found.answers[-1] if found.answers else None
    grade = found.problem
    if grade is None:
        grade = _grade_of_boxes([grade_of[box, response.gold] for box in found.answers])
        whole, *parts = [grade_of[text, response.gold] for text in _lists(found.answers)] or [None]
        if grade == "several_answers" and whole == "correct":
            grade, answer = "correct", _lists(found.answers)[0]
        elif grade == "several_answers" and parts == ["correct"] and grade_of[answer, response.gold] == "correct":
            grade = "correct"
    matched = grade == "correct"
    return Verdict(
        correct=matched and response.finished,
        matched=matched,
        answer=answer,
        vote=None if answer is None else canonical(answer),
        reason=grade if response.finished else "unfinished",
    )


def _grade_of_boxes(grades: list[str]) -> str:
    """The grade of a response from those of its different boxes, the final one last: a value may be left undone on the way."""
    read = [grade for grade in grades[:-1] if grade != "unparseable_answer"] + grades[-1:]
    if len(read) == 1 or "unparseable_gold" in read or {*read} <= {"correct", "unevaluated"}:
        return read[-1]
    return "several_answers"
