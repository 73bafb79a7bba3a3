"""What each point had cost by the end of each of its iterations: one row for each, sums since the first.

`training_seconds` are those of its nodes that sample, grade and select training rollouts and update the policy, `measuring_seconds` those of its
benchmarks; tracking is neither. A node counts with its start and its writing, even where others ran beside it, and without the time that it
waited for a GPU. `gpu_seconds` are those that the training nodes held GPUs for, once for each of them; a share of a GPU counts as its part. They
are unknown where a sidecar was written before it said this. `elapsed_seconds` is the time by the clock since the point's first node began, waiting included.
"""

import datetime
import math
from pathlib import Path

from opsft_flow.integrity import read_sealed
from opsft_flow.machine.gpus import WAITING
from opsft_flow.reporting.timings import sidecars

TRAINING = ("generate train", "verify train", "filter", "stop", "sft")
POINT = ("model", "recipe", "budget", "schedule", "seed")
COST_COLUMNS = [*POINT, "iteration", "training_seconds", "gpu_seconds", "measuring_seconds", "elapsed_seconds"]


def cost_rows(settings: dict) -> list[dict]:
    """The rows of every point whose nodes have sidecars. `settings` are those of the timings node."""
    points: dict[tuple, dict[int, list[tuple[str, dict]]]] = {}
    for keys, sidecar in sidecars(settings):
        file = Path(settings["results"], sidecar)
        if keys["iteration"] and keys["node"] != "track" and (found := read_sealed(file)):
            nodes = points.setdefault(tuple(keys[name] for name in POINT), {}).setdefault(keys["iteration"], [])
            nodes.append((keys["node"], found["run"]))
    return [row for point, iterations in points.items() for row in rows_of(point, iterations)]


def rows_of(point: tuple, iterations: dict[int, list[tuple[str, dict]]]) -> list[dict]:
    """The rows of one point."""
    rows, spent = [], {"training_seconds": 0.0, "gpu_seconds": 0.0, "measuring_seconds": 0.0}
    first = min(instant(run["started"]) for nodes in iterations.values() for _, run in nodes)
    for iteration, nodes in sorted(iterations.items()):
        for node, run in nodes:
            seconds = sum(part["seconds"] - part.get("phases", {}).get(WAITING, 0.0) for part in parts_of(run))
            spent["training_seconds" if node in TRAINING else "measuring_seconds"] += seconds
            if node in TRAINING:
                spent["gpu_seconds"] += gpu_seconds(run)
        trained = [run for node, run in nodes if node in TRAINING]
        last = max(instant(run["ended"]) for run in trained or [run for _, run in nodes])
        rounded = {name: None if math.isnan(seconds) else round(seconds, 3) for name, seconds in spent.items()}
        elapsed = (last - first).total_seconds()
        rows.append(
            {**dict(zip(POINT, point, strict=True)), "iteration": iteration, **rounded, "elapsed_seconds": elapsed}
        )
    return rows


def parts_of(run: dict) -> list[dict]:
    """The run of a node, and those of its shards."""
    return [run, *run.get("shard_runs", [])]


def gpu_seconds(run: dict) -> float:
    """How long a node held GPUs; NaN where its sidecar only says how many."""
    return sum(part.get("gpu_seconds", math.nan if part.get("gpus_held") else 0.0) for part in parts_of(run))


def instant(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
