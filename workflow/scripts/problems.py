"""Prepare a problem set: read it, draw from it, render the user message, check every row."""

from opsft.problems import check_problems
from opsft_flow.node import node
from opsft_flow.preparation import as_row, read_problems
from opsft_flow.tables import PROBLEM, write_table


def main() -> None:
    with node(__doc__, inputs=(), outputs=("problems",)) as job:
        block = job.settings["problems"]
        with job.phase("read"):
            problems = read_problems(block)
        check_problems(problems, job.settings["name"])
        with job.phase("write"):
            write_table(job.problems, [as_row(problem, block) for problem in problems], PROBLEM)
        print(f"{len(problems):,} problems from {block['source']}", flush=True)


if __name__ == "__main__":
    main()
