"""Prepare a problem set as its block of the configuration says, and account for every row that is not in it."""

import collections
import importlib
import random
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

from opsft.duplicates import find_duplicates
from opsft.overlap import find_overlap
from opsft.problem_options import Options
from opsft.problem_rows import Layout, Reading, first_match, last_match
from opsft.problem_sources import read_builtin, read_hub, read_local
from opsft.problems import Problem, check_problems, some_of
from opsft_flow.configuration.sources import problem_path

EXAMPLES = 20
BOXED = "opsft.verify.extract"
"""What reads the boxed answer of a worked solution."""
GOLDS = "opsft.verify.golds"
"""What finds answers that cannot be graded against."""
Step = Callable[[list[Problem]], Collection[str]]
"""The ids of the problems that are to be left out."""
Finder = Callable[[list[str]], Collection[str]]
"""Those of some answers that cannot be graded against."""


@dataclass(frozen=True)
class Prepared:
    """A problem set as it is used.

    `left_out` names, by the reason, what is not among `problems`: a problem by its id, a row that never became one by its
    number from 0. `repeated` are the ids of problems that are in it more than once.
    """

    problems: list[Problem]
    rows: int
    left_out: dict[str, list]
    repeated: list[str]

    def report(self) -> dict:
        """How many there are, how many were left out or are there again, and the first few of each."""
        noted = {**self.left_out, "repeated": self.repeated}
        return {
            "rows": self.rows,
            "problems": len(self.problems),
            "left_out": {reason: len(items) for reason, items in self.left_out.items()},
            "repeated": len(self.repeated),
            "examples": {reason: [str(item) for item in items[:EXAMPLES]] for reason, items in noted.items() if items},
        }

    def describe(self) -> str:
        """The same in one line, for the log."""
        counts = [f"{len(items):,} left out ({reason})" for reason, items in self.left_out.items() if items]
        counts += [f"{len(self.repeated):,} of them repeated"] * bool(self.repeated)
        return "; ".join([f"{len(self.problems):,} problems of {self.rows:,} rows", *counts])


def prepare(name: str, block: dict, others: dict[str, list[Problem]], ungradable: Finder | None) -> Prepared:
    """The problem set `name`, read and checked, without what its block leaves out.

    `others` are the prepared sets that `remove_overlap` names; `ungradable` finds the answers that the verifier cannot grade
    against, needed where `unusable` is `drop`. Raises ValueError where the source or a column is missing, for what the block does not allow, and where nothing
    is left.
    """
    reading = read_problems(block)
    problems = reading.problems
    left_out: dict[str, list] = {"filter": reading.filtered, "no answer": reading.unanswered}
    if block["duplicates"] == "drop":
        problems, copies = without_copies(problems)
        left_out["row again"] = copies
    if problems:
        check_problems(problems, name)
    if block["duplicates"] == "keep":
        refuse_conflicts(problems, name)
    for reason, step in steps(block, others, ungradable):
        unwanted = set(step(problems))
        left_out[reason] = [problem.id for problem in problems if problem.id in unwanted]
        problems = [problem for problem in problems if problem.id not in unwanted]
    prepared = Prepared(problems, reading.rows, left_out, find_duplicates(problems).repeated)
    if not problems:
        raise ValueError(f"problem set {name!r} is empty: {prepared.describe()}")
    return prepared


def read_problems(block: dict) -> Reading:
    """All that the source of a block holds and its filter lets through."""
    kind, _, task = block["source"].partition(":")
    if kind == "builtin":
        return read_builtin(task, block["split"], block["limit"], block["seed"], block["options"])
    path, layout = problem_path(block["source"], block["split"]), layout_of(block)
    if path is not None:
        return read_local(path, layout)
    return read_hub(block["source"], block["name"], block["revision"], block["split"], layout)


def layout_of(block: dict) -> Layout:
    """How the rows of a block's source are read."""
    find_answer, rule = str.strip, "a text"
    if block["answer_from"] == "boxed":
        find_answer, rule = boxed_answer, "one boxed answer after the thinking"
    elif block["answer_pattern"] is not None:
        find_answer = partial(last_match, pattern=block["answer_pattern"])
        rule = f"answer_pattern {block['answer_pattern']!r}"
    find_question = partial(first_match, pattern=pattern) if (pattern := block["question_pattern"]) else str
    columns = {key: name for key, name in block["columns"].items() if key != "options"}
    return Layout(
        columns,
        block["filter"],
        find_answer,
        rule,
        block["unusable"] == "drop",
        find_question,
        options_of(block),
        block["join_answers"],
    )


def options_of(block: dict) -> Options | None:
    """How the options of a multiple choice are read, None for other problems."""
    columns = block["columns"]["options"]
    if columns is None:
        return None
    answer_is = "letter" if block["answer_from"] in ("text", "boxed") else block["answer_from"]
    seed = block["seed"] if block["shuffle_options"] else None
    return Options((columns,) if isinstance(columns, str) else tuple(columns), answer_is, seed)


def boxed_answer(text: str) -> str | None:
    """The boxed answer of a worked solution, as responses are read; None where there is none, or several differ."""
    # By name: most sets need none of it, and a change in it must not prepare (and so sample) them again.
    found = importlib.import_module(BOXED).final_answers(text, opens_thinking=False)
    return found.answers[0] if found.problem is None and len(found.answers) == 1 else None


def steps(block: dict, others: dict[str, list[Problem]], ungradable: Finder | None) -> Iterator[tuple[str, Step]]:
    """What is left out after reading, in this order, by its reason."""
    if block["unusable"] == "drop":
        yield "ungradable answer", partial(with_bad_answer, ungradable=ungradable)
    if block["duplicates"] == "drop":
        yield "same question, different answers", lambda problems: find_duplicates(problems).conflicting
        yield "repeated", lambda problems: find_duplicates(problems).repeated
    for other in block["remove_overlap"]:
        yield f"overlap with {other}", partial(overlapping, others={other: others[other]}, share=block["overlap_share"])
    if block["limit"] is not None:
        yield "limit", partial(not_drawn, limit=block["limit"], seed=block["seed"])


def with_bad_answer(problems: list[Problem], ungradable: Finder) -> list[str]:
    """Problems whose answer the verifier cannot grade against."""
    bad = ungradable([problem.answer for problem in problems])
    return [problem.id for problem in problems if problem.answer in bad]


def without_copies(problems: list[Problem]) -> tuple[list[Problem], list[str]]:
    """The problems without those that repeat in everything, their ids included, and the ids of these."""
    counts = collections.Counter(problems)
    copies = [problem.id for problem, count in counts.items() for _ in range(count - 1)]
    return list(counts), copies


def refuse_conflicts(problems: list[Problem], name: str) -> None:
    """Raise ValueError where the same question has different answers."""
    conflicting = find_duplicates(problems).conflicting
    if conflicting:
        raise ValueError(
            f"problem set {name!r}: the same question has different answers in {some_of(conflicting, 'problem')}; "
            "`duplicates: drop` leaves all of them out"
        )


def overlapping(problems: list[Problem], others: dict[str, list[Problem]], share: float) -> list[str]:
    """Problems that hold at least the part `share` of another's runs of words, or any where `share` is 0."""
    return [overlap.problem for overlap in find_overlap(problems, others) if overlap.share >= share]


def not_drawn(problems: list[Problem], limit: int, seed: int) -> list[str]:
    """What a draw of `limit` problems by `seed` leaves."""
    if limit >= len(problems):
        return []
    chosen = set(random.Random(seed).sample(range(len(problems)), limit))
    return [problem.id for i, problem in enumerate(problems) if i not in chosen]
