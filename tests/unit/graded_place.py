"""A folder of rollouts and verdicts, written as the nodes write them."""

from pathlib import Path

from opsft_flow.tables import ROLLOUT, VERDICT, write_table

FILLER = {"seed": 0, "prompt_ids": [], "response_ids": [], "text": "", "logprob": 0.0, "opens_thinking": False}


def write_place(folder: Path, responses: list[tuple[str, int, int, bool, bool]]) -> None:
    """One rollout and one verdict for each (problem, sample, tokens, finished, matched); the verdicts in reverse."""
    rollouts, verdicts = [], []
    for problem, sample, tokens, finished, matched in responses:
        key = {"problem_id": problem, "sample": sample}
        rollouts.append({**FILLER, **key, "tokens": tokens, "finish_reason": "stop" if finished else "length"})
        reason = ("correct" if matched else "wrong") if finished else "unfinished"
        graded = {"correct": matched and finished, "matched": matched, "answer": "1", "vote": "1", "reason": reason}
        verdicts.append({**key, **graded})
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "rollouts.parquet", rollouts, ROLLOUT)
    write_table(folder / "verdicts.parquet", verdicts[::-1], VERDICT)
