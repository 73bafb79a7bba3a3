"""Read what a sweep starts from, its problem sets and base models, for the nodes that write them down and for the check."""

import pathlib
import random

from opsft.problems import Problem, read_builtin, read_hub, read_local
from opsft_flow.policy import WANTED
from opsft_flow.sources import find_local, problem_path


def read_problems(block: dict) -> list[Problem]:
    """The problems of a block of the configuration: all of its source, or `limit` of them drawn by `seed`, in their order.

    Raises ValueError where the source, its split or a column is missing.
    """
    kind, _, task = block["source"].partition(":")
    if kind == "builtin":
        return read_builtin(task, block["split"], block["limit"], block["seed"], block["options"])
    path = problem_path(block["source"], block["split"])
    columns, pattern = block["columns"], block["answer_pattern"]
    if path is not None:
        problems = read_local(path, columns, pattern)
    else:
        problems = read_hub(block["source"], block["name"], block["revision"], block["split"], columns, pattern)
    return draw(problems, block["limit"], block["seed"])


def draw(problems: list[Problem], limit: int | None, seed: int) -> list[Problem]:
    """`limit` problems drawn by `seed`, in their original order."""
    if limit is None or limit >= len(problems):
        return problems
    chosen = sorted(random.Random(seed).sample(range(len(problems)), limit))
    return [problems[i] for i in chosen]


def as_row(problem: Problem, block: dict) -> dict:
    """A problem as a row of its table, with the messages that a model is asked."""
    system = [{"role": "system", "content": block["system"]}] if block["system"] else []
    content = block["template"].replace("{question}", problem.question)
    return {
        "problem_id": problem.id,
        "prompt": [*system, {"role": "user", "content": content}],
        "answer": problem.answer,
        "source": block["source"],
        "level": problem.level,
    }


def find_checkpoint(source: str, revision: str | None) -> pathlib.Path:
    """The folder of a local checkpoint or of a Hub snapshot. Raises ValueError where there is neither."""
    local = find_local(source)
    if local is not None:
        return local
    from huggingface_hub import snapshot_download

    try:
        return pathlib.Path(snapshot_download(source, revision=revision, allow_patterns=WANTED))
    except Exception as error:
        first_line = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"model {source!r} is no local folder here, and cannot be had from the Hub: "
            f"{type(error).__name__}: {first_line}"
        ) from None
