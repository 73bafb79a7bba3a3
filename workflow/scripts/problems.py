"""Prepare a problem set: read it, draw from it, render the user message, check every row."""

import importlib
import random

from opsft.problems import Problem, check_problems, read_builtin, read_hub, read_local
from opsft_flow.node import node
from opsft_flow.sources import problem_path
from opsft_flow.tables import PROBLEM, write_table


def read_source(block: dict) -> list[Problem]:
    """All problems of the source, in its order."""
    kind, _, task = block["source"].partition(":")
    if kind == "builtin":
        return read_builtin(task, block["split"], block["limit"], block["seed"], block["options"])
    path = problem_path(block["source"], block["split"])
    if path is not None:
        return read_local(path, block["columns"], block["answer_pattern"])
    return read_hub(
        block["source"], block["name"], block["revision"], block["split"], block["columns"], block["answer_pattern"]
    )


def draw(problems: list[Problem], limit: int | None, seed: int) -> list[Problem]:
    """`limit` problems drawn by `seed`, in their original order."""
    if limit is None or limit >= len(problems):
        return problems
    chosen = sorted(random.Random(seed).sample(range(len(problems)), limit))
    return [problems[i] for i in chosen]


def as_row(problem: Problem, block: dict) -> dict:
    system = [{"role": "system", "content": block["system"]}] if block["system"] else []
    content = block["template"].replace("{question}", problem.question)
    return {
        "problem_id": problem.id,
        "prompt": [*system, {"role": "user", "content": content}],
        "answer": problem.answer,
        "source": block["source"],
        "level": problem.level,
    }


def main() -> None:
    with node(__doc__, inputs=(), outputs=("problems",)) as job:
        block = job.settings["problems"]
        with job.phase("read"):
            problems = draw(read_source(block), block["limit"], block["seed"])
        with job.phase("check"):
            verifier = importlib.import_module(f"opsft.verify.{block['verifier']}")
            check_problems(problems, verifier.check_gold, job.settings["name"])
        with job.phase("write"):
            write_table(job.problems, [as_row(problem, block) for problem in problems], PROBLEM)
        print(f"{len(problems):,} problems from {block['source']}", flush=True)


if __name__ == "__main__":
    main()
