"""Read problem sets: a question, its reference answer, an id; from a built-in task, a local file or the Hub."""

import collections
import importlib
import importlib.util
import json
import pathlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One problem as it was read, before any template."""

    id: str
    question: str
    answer: str
    level: str | None


def read_builtin(task: str, split: str, limit: int | None, seed: int, options: dict) -> list[Problem]:
    """`limit` problems of the built-in `task`. Raises ValueError for an unknown task, split or option."""
    if importlib.util.find_spec(f"opsft.tasks.{task}") is None:
        raise ValueError(f"built-in task {task!r} is unknown: there is arithmetic")
    if limit is None:
        raise ValueError(f"built-in task {task!r} makes as many problems as it is asked for: set `limit`")
    make_problems = importlib.import_module(f"opsft.tasks.{task}").make_problems
    try:
        rows = make_problems(split, limit, seed, **options)
    except TypeError as error:
        raise ValueError(f"built-in task {task!r}, options {options}: {error}") from None
    return [Problem(f"{split}-{i}", row["question"], row["answer"], str(row["level"])) for i, row in enumerate(rows)]


def read_local(path: pathlib.Path, columns: dict, answer_pattern: str | None) -> list[Problem]:
    """Problems of a parquet, jsonl, json or csv file. Raises ValueError for a missing column."""
    import pandas

    readers = {
        ".parquet": pandas.read_parquet,
        ".jsonl": lambda p: pandas.read_json(p, lines=True, dtype=False),
        ".json": lambda p: pandas.DataFrame(json.loads(p.read_text())),
        ".csv": lambda p: pandas.read_csv(p, dtype=str, keep_default_na=False),
    }
    if path.suffix not in readers:
        raise ValueError(f"{path}: files of type {path.suffix!r} cannot be read; allowed: {', '.join(readers)}")
    frame = readers[path.suffix](path)
    return read_rows(frame.to_dict("records"), list(frame.columns), columns, answer_pattern, str(path))


def read_hub(
    source: str, name: str | None, revision: str | None, split: str, columns: dict, answer_pattern: str | None
) -> list[Problem]:
    """Problems of a dataset on the Hugging Face Hub. Raises ValueError where it, its split or a column is missing."""
    import datasets

    try:
        dataset = datasets.load_dataset(source, name, split=split, revision=revision)
    except Exception as error:
        first_line = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{source!r} is no local path here, and as a Hub dataset (name {name!r}, split {split!r}) it cannot be loaded: "
            f"{type(error).__name__}: {first_line}"
        ) from None
    return read_rows(dataset, dataset.column_names, columns, answer_pattern, source)


def read_rows(
    rows: Iterable[dict], found: list[str], columns: dict, answer_pattern: str | None, where: str
) -> list[Problem]:
    """Rows as problems; `columns` maps question, answer, id and level to the names they have in `rows`."""
    missing = [f"{key} ({name!r})" for key, name in columns.items() if name is not None and name not in found]
    if missing:
        raise ValueError(f"{where}: no column for {', '.join(missing)}; the columns are {', '.join(found)}")
    problems, unmatched = [], []
    for number, row in enumerate(rows):
        answer = extract_answer(str(row[columns["answer"]]), answer_pattern)
        if answer is None:
            unmatched.append(number)
            continue
        identity = str(row[columns["id"]]) if columns["id"] else str(number)
        level = str(row[columns["level"]]) if columns["level"] else None
        problems.append(Problem(identity, str(row[columns["question"]]), answer, level))
    if unmatched:
        raise ValueError(f"{where}: answer_pattern {answer_pattern!r} matches nothing in {some_of(unmatched, 'row')}")
    return problems


def extract_answer(text: str, pattern: str | None) -> str | None:
    """The answer in its column: all of it, or the first group of the last match of `pattern`."""
    if pattern is None:
        return text.strip()
    matches = list(re.finditer(pattern, text, re.MULTILINE))
    return matches[-1].group(1).strip() if matches else None


def check_problems(problems: list[Problem], check_gold: Callable[[str], None], name: str) -> None:
    """Refuse what would cost GPU time for nothing.

    Raises ValueError for an empty set, a repeated id, an empty question, or an answer that the verifier cannot parse;
    the message names the problems.
    """
    if not problems:
        raise ValueError(f"problem set {name!r} is empty")
    counts = collections.Counter(problem.id for problem in problems)
    repeated = [identity for identity, count in counts.items() if count > 1]
    if repeated:
        raise ValueError(f"problem set {name!r}: ids occur more than once: {some_of(repeated, 'problem')}")
    blank = [problem.id for problem in problems if not problem.question.strip()]
    if blank:
        raise ValueError(f"problem set {name!r}: empty question in {some_of(blank, 'problem')}")
    unusable = []
    for problem in problems:
        try:
            check_gold(problem.answer)
        except ValueError:
            unusable.append(problem.id)
    if unusable:
        first = next(problem.answer for problem in problems if problem.id == unusable[0])
        raise ValueError(
            f"problem set {name!r}: the verifier cannot parse the answer of {some_of(unusable, 'problem')} "
            f"(the first is {first!r})"
        )


def some_of(items: list, noun: str) -> str:
    """The first few of `items`, and how many there are."""
    shown = ", ".join(map(str, items[:5]))
    return f"{noun} {shown}" if len(items) <= 5 else f"{noun} {shown} and {len(items) - 5} more"
