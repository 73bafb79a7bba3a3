"""What a job found, in a few words, from its result on disk and the sidecar beside it."""

import os
from collections.abc import Callable, Sequence

import pyarrow.parquet

from opsft_flow.files import read_json

NOTHING_KEPT = "NOTHING KEPT"
"""What a filter that keeps nothing is told by."""


def found(outputs: Sequence[str]) -> str:
    """What the first of a job's outputs that is known says; nothing where it cannot be read, for it is only shown."""
    known = [path for path in outputs if os.path.basename(path) in READERS]
    try:
        return READERS[os.path.basename(known[0])](known[0]) if known else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def of_rollouts(path: str) -> str:
    run = read_json(path.replace(".parquet", ".run.json"))["run"]
    responses = pyarrow.parquet.read_metadata(path).num_rows
    if not responses or not run["tokens"]:
        return "nothing sampled: the point has stopped"
    return f"{responses:,} responses, mean {run['tokens'] / responses:,.1f} tokens, {run['tokens_per_second']:,.0f} tokens/s"


def of_verdicts(path: str) -> str:
    correct = pyarrow.parquet.read_table(path, columns=["correct"])["correct"].to_pylist()
    return f"{sum(correct):,} of {len(correct):,} correct" + (
        f" ({sum(correct) / len(correct):.1%})" if correct else ""
    )


def of_filter(path: str) -> str:
    statistics = read_json(path)
    before, after, rollouts = statistics["before"], statistics["after"], statistics["rollouts"]
    if not rollouts:
        return "nothing to select from: the point has stopped"
    cut = f"{before['truncated']:.0%} cut off at {statistics['budget']:,} tokens"
    if not statistics["kept"]:
        return f"{NOTHING_KEPT} of {rollouts:,} responses: {cut}, the policy stays as it is"
    share = f"kept {statistics['kept']:,} of {rollouts:,} ({statistics['kept_share']:.0%})"
    return f"{share}, mean {after['tokens_mean']:,.1f} tokens of {before['tokens_mean']:,.1f}, {cut}"


def of_policy(path: str) -> str:
    manifest = read_json(path)
    if manifest.get("stopped"):
        return "not trained: the point has stopped"
    if manifest.get("copied"):
        return "NOT TRAINED: the policy is its parent"
    metrics = manifest.get("metrics")
    if not metrics:
        return ""
    return f"loss {metrics['loss']:.4g}, {metrics['updates']:,} updates, {metrics['tokens_trained']:,} tokens"


def of_metrics(path: str) -> str:
    metrics = read_json(path)
    accuracy, tokens = metrics["accuracy"], metrics["tokens"]["mean"]
    return (
        f"accuracy {accuracy['value']:.1%} [{accuracy['low']:.1%}, {accuracy['high']:.1%}], "
        f"mean {tokens['value']:,.1f} tokens, {metrics['truncated']['value']:.1%} cut off"
    )


def of_decision(path: str) -> str:
    stopped = read_json(path)["stopped"]
    return f"the point stops: {stopped['message']}" if stopped else "goes on"


def of_tracking(path: str) -> str:
    return f"{read_json(path)['mode']}, {read_json(path)['status']}"


READERS: dict[str, Callable[[str], str]] = {
    "rollouts.parquet": of_rollouts,
    "verdicts.parquet": of_verdicts,
    "filter.json": of_filter,
    "policy.json": of_policy,
    "metrics.json": of_metrics,
    "stop.json": of_decision,
    "tracked.json": of_tracking,
}
