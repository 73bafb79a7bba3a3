"""Where problems come from: a built-in task, a local file, the Hugging Face Hub."""

import importlib
import importlib.util
import pathlib

from opsft.problem_files import read_file
from opsft.problem_rows import Layout, Reading, read_rows, top_column
from opsft.problems import Problem


def read_builtin(task: str, split: str, limit: int | None, seed: int, options: dict) -> Reading:
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
    problems = [
        Problem(f"{split}-{i}", row["question"], row["answer"], str(row["level"])) for i, row in enumerate(rows)
    ]
    return Reading(problems, len(problems))


def read_local(path: pathlib.Path, layout: Layout) -> Reading:
    """Problems of a local file or saved data set. Raises ValueError as `read_file` and `read_rows` do."""
    rows = read_file(path)
    found = list(dict.fromkeys(key for row in rows for key in row))
    return read_rows(rows, found, layout, str(path))


def read_hub(source: str, name: str | None, revision: str | None, split: str, layout: Layout) -> Reading:
    """Problems of a dataset on the Hugging Face Hub.

    Raises ValueError where it or its split cannot be had, or as `read_rows` does.
    """
    import datasets

    try:
        dataset = datasets.load_dataset(source, name, split=split, revision=revision)
    except Exception as error:
        first_line = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"{source!r} is no local path here, and as a Hub dataset (name {name!r}, split {split!r}) it cannot be loaded: "
            f"{type(error).__name__}: {first_line}"
        ) from None
    found = dataset.column_names
    # The others can hold what is slow to read: images, solutions of many pages.
    needed = [column for column in found if column in {top_column(each, found) for each in layout.names().values()}]
    return read_rows(dataset.select_columns(needed), found, layout, source)
