"""Where the time of a sweep went: one row per node, from the sidecars beside the results, and the sums by kind of node.

All times are in seconds. The work of a node is what it is there for (`WORK`); its overhead is the rest, the writing of its
result aside: starting Python, imports, starting an engine, loading weights, reading inputs.
"""

from collections.abc import Iterator
from pathlib import Path

from opsft_flow.integrity import read_sealed
from opsft_flow.places import Place, iteration_folder, measured_on
from opsft_flow.points import Point
from opsft_flow.reporting.summary import KEYS

WORK = ("sample", "grade", "select", "train", "estimate")
"""The phases that are work, one for each kind of node; `track` has none."""

WRITING = ("write", "write optimizer", "hash")
"""The phases that put a result in its place."""


def timing_rows(settings: dict) -> tuple[list[dict], int]:
    """A row for each node of the sweep that has a sidecar, and how many have none, or a damaged one.

    `settings` are those of the timings node: results, points (with iterations, benchmarks, tracked iterations, and decided ones where stop rules are set) and base
    (benchmarks of each model). A phase that did not occur took 0 s.
    """
    rows, missing = [], 0
    for keys, sidecar in sidecars(settings):
        file = Path(settings["results"], sidecar)
        if found := read_sealed(file):
            rows.append({**keys, **time_columns(found["run"])})
        else:
            missing += 1
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name, 0.0) for name in columns} for row in rows], missing


def sidecars(settings: dict) -> Iterator[tuple[dict, str]]:
    """The keys of each node's row and its sidecar, in the order in which they run.

    What serves training has no benchmark, and a point with a schedule no budget.
    """
    for model, benchmarks in settings["base"].items():
        for name in benchmarks:
            yield from measuring(Place(model, None, 0, name), (model, "base", None, None, None, 0, name))
    for block in settings["points"]:
        point = Point(block["model"], block["recipe"], block["budget"], block["seed"])
        for i in range(1, block["iterations"] + 1):
            budget = None if point.schedule else point.budget
            folder, keys = (
                iteration_folder(point, i),
                (point.model, point.recipe, budget, point.schedule, point.seed, i),
            )
            for node, file in (
                ("generate train", "train/rollouts"),
                ("verify train", "train/verdicts"),
                ("filter", "train/filter"),
                *([("stop", "stop")] if i in block.get("decided", ()) else ()),
                ("sft", "policy"),
            ):
                yield as_keys((*keys, None), node), f"{folder}/{file}.run.json"
            for name in measured_on(block, i):
                yield from measuring(Place(point.model, point, i, name), (*keys, name))
            if i in block["tracked"]:
                yield as_keys((*keys, None), "track"), f"{folder}/tracked.run.json"


def measuring(place: Place, keys: tuple) -> Iterator[tuple[dict, str]]:
    """The nodes that measure a policy on a benchmark."""
    for node, file in (("generate eval", "rollouts"), ("verify eval", "verdicts"), ("evaluate", "metrics")):
        yield as_keys(keys, node), f"{place.path}/{file}.run.json"


def as_keys(keys: tuple, node: str) -> dict:
    return {**dict(zip(KEYS, keys, strict=True)), "node": node}


def time_columns(run: dict) -> dict:
    """Jobs, seconds, work, overhead and every phase of a node, its shards included."""
    runs = [run, *run.get("shard_runs", [])]
    phases: dict[str, float] = {}
    for part in runs:
        for name, seconds in part["phases"].items():
            phases[name] = round(phases.get(name, 0.0) + seconds, 3)
    seconds = sum(part["seconds"] for part in runs)
    work = sum(phases.get(name, 0.0) for name in WORK)
    overhead = seconds - work - sum(phases.get(name, 0.0) for name in WRITING)
    return {
        "jobs": len(runs),
        "seconds": round(seconds, 3),
        "work": round(work, 3),
        "overhead": round(overhead, 3),
        **phases,
    }


def by_node(rows: list[dict]) -> list[dict]:
    """The sums for each kind of node, then for the whole sweep; `share` is the part of the sweep's seconds."""
    totals: dict[str, dict] = {}
    for row in rows:
        for node in (row["node"], "all"):
            total = totals.setdefault(node, {"jobs": 0, "seconds": 0.0, "work": 0.0, "overhead": 0.0})
            for name in total:
                total[name] += row[name]
    whole = totals.pop("all", None)
    named = [*totals.items(), ("all", whole)] if whole else []
    return [{"node": node, **rounded(total), "share": share(total, whole)} for node, total in named]


def rounded(total: dict) -> dict:
    return {name: round(value, 3) for name, value in total.items()}


def share(total: dict, whole: dict) -> float:
    return round(total["seconds"] / whole["seconds"], 4) if whole["seconds"] else 0.0
