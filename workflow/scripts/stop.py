"""Decide whether a point stops before an iteration trains: {stopped: null} to go on, else the rule and why.

`--before` is the decision of the iteration before, or `none`: a point that has stopped stays so.
"""

import pathlib

from opsft_flow.files import read_json, write_json
from opsft_flow.graph.decisions import take_decision
from opsft_flow.node import node


def main() -> None:
    with node(__doc__, inputs=("before",), outputs=("decision",), may_take=False) as job:
        folder, iteration = str(pathlib.Path(job.decision).parents[1]), job.settings["iteration"]
        stopped = None if job.before == "none" else read_json(job.before)["stopped"]
        stopped = stopped or take_decision(job.settings["stop"], folder, iteration)
        write_json(job.decision, {"stopped": stopped})
        print(f"stopped after iteration {stopped['iteration']}: {stopped['message']}" if stopped else "goes on")


if __name__ == "__main__":
    main()
