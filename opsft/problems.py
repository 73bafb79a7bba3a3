"""A problem: a question, its reference answer, an id; and what is refused in a set of them."""

import collections
import re
from dataclasses import dataclass

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class NoAnswer(ValueError):
    """A row has no answer that can be used."""


@dataclass(frozen=True)
class Problem:
    """One problem as it was read, before any template."""

    id: str
    question: str
    answer: str
    level: str | None


def check_problems(problems: list[Problem], name: str) -> None:
    """Refuse an empty set, ids that repeat or cannot be shown, and empty questions. Raises ValueError that names the problems."""
    if not problems:
        raise ValueError(f"problem set {name!r} is empty")
    counts = collections.Counter(problem.id for problem in problems)
    repeated = [identity for identity, count in counts.items() if count > 1]
    if repeated:
        raise ValueError(
            f"problem set {name!r}: ids occur more than once: {some_of(repeated, 'problem')}; `duplicates: drop` leaves out rows "
            "that repeat in id, question and answer, and `columns.id: null` numbers the rows"
        )
    hidden = [repr(problem.id) for problem in problems if not problem.id.strip() or CONTROL.search(problem.id)]
    if hidden:
        raise ValueError(
            f"problem set {name!r}: an id is empty or holds control characters: {some_of(hidden, 'problem')}; `columns.id: null` "
            "numbers the rows"
        )
    blank = [problem.id for problem in problems if not problem.question.strip()]
    if blank:
        raise ValueError(f"problem set {name!r}: empty question in {some_of(blank, 'problem')}")


def some_of(items: list, noun: str) -> str:
    """The first few of `items`, and how many there are."""
    shown = ", ".join(map(str, items[:5]))
    return f"{noun} {shown}" if len(items) <= 5 else f"{noun} {shown} and {len(items) - 5} more"
