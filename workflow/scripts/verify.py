"""Grade rollouts against the reference answers."""

import collections

from opsft.thinking import Marks
from opsft.verify import Response, verify
from opsft_flow.graph.own_code import is_own, load_own
from opsft_flow.node import node
from opsft_flow.progress import reporter
from opsft_flow.tables import PROBLEM, ROLLOUT, VERDICT, read_table, write_table

COLUMNS = ["problem_id", "sample", "text", "finish_reason", "opens_thinking"]


def main() -> None:
    with node(__doc__, inputs=("rollouts", "problems"), outputs=("verdicts",)) as job:
        with job.phase("read"):
            rollouts = read_table(job.rollouts, ROLLOUT, COLUMNS)
            problems = read_table(job.problems, PROBLEM, ["problem_id", "answer"])
        golds = {row["problem_id"]: row["answer"] for row in problems}
        responses = [
            Response(
                text=row["text"],
                gold=golds[row["problem_id"]],
                finished=row["finish_reason"] == "stop",
                opens_thinking=row["opens_thinking"],
            )
            for row in rollouts
        ]
        verifier, report = job.settings["verifier"], reporter("graded", "answers")
        if is_own(verifier):
            load_own(verifier, "verifier")
        with job.phase("grade"):
            verdicts = verify(
                responses,
                verifier,
                workers=job.threads,
                **job.settings["verify"],
                progress=lambda done, total: report(done, total, done),
                marks=Marks(*job.settings["thinking"]),
            )
        with job.phase("write"):
            rows = [
                {"problem_id": row["problem_id"], "sample": row["sample"], **vars(verdict)}
                for row, verdict in zip(rollouts, verdicts, strict=True)
            ]
            write_table(job.verdicts, rows, VERDICT)
        reasons = collections.Counter(verdict.reason for verdict in verdicts)
        print(", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common()), flush=True)


if __name__ == "__main__":
    main()
