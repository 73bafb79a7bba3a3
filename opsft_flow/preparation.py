"""What a sweep starts from, problems as a model is asked and base models, for the nodes that write them down and for the check."""

import pathlib

from opsft.problems import Problem
from opsft_flow.configuration.sources import find_local
from opsft_flow.weights.policy import WANTED


def as_row(problem: Problem, block: dict) -> dict:
    """A problem as a row of its table, with the messages that a model is asked."""
    system = [{"role": "system", "content": block["system"]}] if block["system"] else []
    content = block["template"].replace("{question}", problem.question)
    return {
        "problem_id": problem.id,
        "question": problem.question,
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
