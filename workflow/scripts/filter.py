"""Select the rollouts to train on, and measure the batch before and after."""

import numpy as np

from opsft.selection.interface import Group, select
from opsft.selection.statistics import describe
from opsft_flow.files import write_json
from opsft_flow.node import node
from opsft_flow.tables import ROLLOUT, SELECTED, VERDICT, align, read_table, write_table


def group_by_problem(rollouts: list[dict]) -> dict[str, list[int]]:
    """Rows of the rollouts of each prompt, by sample index."""
    rows: dict[str, list[int]] = {}
    for row in sorted(range(len(rollouts)), key=lambda i: rollouts[i]["sample"]):
        rows.setdefault(rollouts[row]["problem_id"], []).append(row)
    return rows


def as_group(rows: list[int], rollouts: list[dict], verdicts: list[dict]) -> Group:
    return Group(
        correct=np.array([verdicts[i]["correct"] for i in rows]),
        matched=np.array([verdicts[i]["matched"] for i in rows]),
        finished=np.array([rollouts[i]["finish_reason"] == "stop" for i in rows]),
        tokens=np.array([rollouts[i]["tokens"] for i in rows]),
    )


def main() -> None:
    with node(__doc__, inputs=("rollouts", "verdicts"), outputs=("selected", "statistics")) as job:
        block, budget = job.settings["filter"], job.settings["point"]["budget"]
        with job.phase("read"):
            rollouts = read_table(job.rollouts, ROLLOUT, ["problem_id", "sample", "tokens", "finish_reason"])
            verdicts = align(read_table(job.verdicts, VERDICT), rollouts, job.verdicts)
        with job.phase("select"):
            members = group_by_problem(rollouts)
            groups = {key: as_group(rows, rollouts, verdicts) for key, rows in members.items()}
            kept = select(block["rule"], groups, budget, block)
            selected = [
                {"problem_id": key, "sample": rollouts[members[key][position]]["sample"], "weight": weight}
                for key, pairs in kept.items()
                for position, weight in pairs
            ]
            statistics = describe(groups, kept)
        with job.phase("write"):
            write_table(job.selected, selected, SELECTED)
            write_json(job.statistics, {**statistics, "rule": block["rule"]})
        before, after = statistics["before"]["tokens_mean"], statistics["after"]["tokens_mean"]
        print(f"{statistics['kept']:,} of {statistics['rollouts']:,} rollouts kept ({statistics['kept_share']:.1%})")
        print(f"mean tokens {before:.1f} before, {'none' if after is None else f'{after:.1f}'} after")


if __name__ == "__main__":
    main()
