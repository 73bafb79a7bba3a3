"""Estimate what a policy can do on a benchmark, with intervals, and the paired difference to the base model.

`--base` is the folder of the base model's rollouts and verdicts, or `none` for the base model itself.
"""

import collections

from opsft.estimators.evaluate import EvaluationSettings, evaluate
from opsft.estimators.responses import Responses
from opsft_flow.files import write_json
from opsft_flow.node import node
from opsft_flow.tables import ROLLOUT, VERDICT, align, read_table

COLUMNS = ["problem_id", "sample", "tokens", "finish_reason"]


def read_responses(rollouts_path: str, verdicts_path: str, max_tokens: int) -> Responses:
    """The graded responses of one policy on one benchmark."""
    rollouts = read_table(rollouts_path, ROLLOUT, COLUMNS)
    verdicts = align(read_table(verdicts_path, VERDICT), rollouts, verdicts_path)
    return Responses.from_rows(
        problem_ids=[row["problem_id"] for row in rollouts],
        sample_indices=[row["sample"] for row in rollouts],
        correct=[row["correct"] for row in verdicts],
        matched=[row["matched"] for row in verdicts],
        finished=[row["finish_reason"] == "stop" for row in rollouts],
        tokens=[row["tokens"] for row in rollouts],
        answers=[row["answer"] for row in verdicts],
        max_tokens=max_tokens,
    )


def count_reasons(verdicts_path: str) -> dict[str, int]:
    reasons = [row["reason"] for row in read_table(verdicts_path, VERDICT, ["reason"])]
    return dict(collections.Counter(sorted(reasons)))


def main() -> None:
    with node(__doc__, inputs=("rollouts", "verdicts", "base"), outputs=("metrics",)) as job:
        block, max_tokens = job.settings["evaluate"], job.settings["max_tokens"]
        settings = EvaluationSettings(
            resamples=block["resamples"],
            level=block["level"],
            seed=block["seed"],
            pass_k=tuple(block["pass_k"]),
            maj_k=tuple(block["maj_k"]),
            budgets=tuple(block["budgets"]) if block["budgets"] else None,
        )
        with job.phase("read"):
            responses = read_responses(job.rollouts, job.verdicts, max_tokens)
            base_tables = (f"{job.base}/rollouts.parquet", f"{job.base}/verdicts.parquet")
            base = None if job.base == "none" else read_responses(*base_tables, max_tokens)
        with job.phase("estimate"):
            metrics = evaluate(responses, settings, base)
        with job.phase("write"):
            write_json(job.metrics, {**metrics, "reasons": count_reasons(job.verdicts)})
        accuracy, tokens = metrics["accuracy"], metrics["tokens"]["mean"]
        print(
            f"accuracy {accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f}), {tokens['value']:.1f} tokens"
        )


if __name__ == "__main__":
    main()
