"""Prepare a problem set: read it, leave out what its block says, render the user message, check every row."""

import importlib
import pathlib
from functools import partial

from opsft.problems import Problem
from opsft_flow.files import write_json
from opsft_flow.graph.own_code import is_own, load_own
from opsft_flow.node import node
from opsft_flow.preparation import as_row
from opsft_flow.problem_sets import GOLDS, prepare
from opsft_flow.tables import PROBLEM, read_table, write_table


def read_prepared(path: pathlib.Path) -> list[Problem]:
    """The problems of a set that has been prepared."""
    rows = read_table(path, PROBLEM, ["problem_id", "question", "answer", "level"])
    return [Problem(row["problem_id"], row["question"], row["answer"], row["level"]) for row in rows]


def main() -> None:
    with node(__doc__, inputs=(), outputs=("problems", "checks")) as job:
        block, name = job.settings["problems"], job.settings["name"]
        folder = pathlib.Path(job.problems).parent
        others = {other: read_prepared(folder / f"{other}.parquet") for other in block["remove_overlap"]}
        # The settings name the verifier where it decides what is left out.
        finder = None
        if "verifier" in block:
            if is_own(block["verifier"]):
                load_own(block["verifier"], f"problems.{name}.verifier")
            # By name: most sets need none of it, and a change in it must not prepare (and so sample) them again.
            ungradable = importlib.import_module(GOLDS).ungradable
            finder = partial(ungradable, verifier=block["verifier"], workers=job.threads, **job.settings["verify"])
        with job.phase("read"):
            prepared = prepare(name, block, others, finder)
        with job.phase("write"):
            write_table(job.problems, [as_row(problem, block) for problem in prepared.problems], PROBLEM)
            write_json(job.checks, prepared.report())
        print(f"{block['source']}: {prepared.describe()}", flush=True)


if __name__ == "__main__":
    main()
