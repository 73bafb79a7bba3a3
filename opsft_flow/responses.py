"""The graded responses of a place, as the estimators take them."""

from pathlib import Path

from opsft.estimators.responses import Responses
from opsft_flow.tables import ROLLOUT, VERDICT, align, read_table

COLUMNS = ["problem_id", "sample", "tokens", "finish_reason"]


def read_responses(place: Path, max_tokens: int) -> Responses:
    """The rollouts in the folder `place` with their verdicts. Raises ValueError where a verdict is missing."""
    rollouts = read_table(place / "rollouts.parquet", ROLLOUT, COLUMNS)
    verdicts = align(read_table(place / "verdicts.parquet", VERDICT), rollouts, f"{place}/verdicts.parquet")
    return Responses.from_rows(
        problem_ids=[row["problem_id"] for row in rollouts],
        sample_indices=[row["sample"] for row in rollouts],
        correct=[row["correct"] for row in verdicts],
        matched=[row["matched"] for row in verdicts],
        finished=[row["finish_reason"] == "stop" for row in rollouts],
        tokens=[row["tokens"] for row in rollouts],
        answers=[row["vote"] for row in verdicts],
        max_tokens=max_tokens,
    )
