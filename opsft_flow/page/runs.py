"""What was run and when, from the sidecars: all of the page that differs between two runs of one sweep.

Hosts and the identities of GPUs are left out, so that a page can be handed on.
"""

from pathlib import Path

import pandas

from opsft_flow.integrity import read_sealed
from opsft_flow.reporting.timings import sidecars

RATES = {"generate train": "sample", "generate eval": "sample", "sft": "train"}
"""The phase in which a kind of node makes its tokens, sampled or trained on."""


def run_rows(settings: dict) -> list[dict]:
    """Who ran what and when: a row for each node that has a sidecar, in the order of the sweep."""
    rows = []
    for keys, sidecar in sidecars(settings):
        file = Path(settings["results"], sidecar)
        if recorded := read_sealed(file):
            rows.append({**keys, "code": recorded["settings"].get("code"), "run": recorded["run"]})
    return rows


def when(rows: list[dict]) -> dict:
    """The first start and the last end, and a bar for each node: its row of the chart, kind, start and end in seconds."""
    if not rows:
        return {"started": None, "ended": None, "lanes": [], "bars": []}
    clock = [(pandas.Timestamp(row["run"]["started"]), pandas.Timestamp(row["run"]["ended"])) for row in rows]
    first, last = min(start for start, _ in clock), max(end for _, end in clock)
    lanes = list(dict.fromkeys(lane_of(row) for row in rows))
    bars = [
        [lanes.index(lane_of(row)), row["node"], (start - first).total_seconds(), (end - first).total_seconds()]
        for row, (start, end) in zip(rows, clock, strict=True)
    ]
    return {
        "started": first.isoformat(),
        "ended": last.isoformat(),
        "lanes": lanes,
        "bars": sorted(bars, key=lambda bar: bar[2]),
    }


def lane_of(row: dict) -> str:
    if row["recipe"] == "base":
        return f"{row['model']} base"
    return f"{row['model']} {row['recipe']} {row.get('schedule') or row['budget']} seed {row['seed']}"


def with_what(rows: list[dict]) -> dict[str, list[str]]:
    """Every version of Python and of each package, every kind of GPU, and every code hash of each kind of node."""
    found: dict[str, set[str]] = {"Python": set(), "GPU": set()}
    for row in rows:
        for run in (row["run"], *row["run"].get("shard_runs", [])):
            found["Python"].add(run["python"])
            found["GPU"].add(run.get("gpu") or ("yes, not named" if run.get("gpus") else "none"))
            for package, version in run["packages"].items():
                found.setdefault(package, set()).add(version)
        if row["code"]:
            found.setdefault(f"code of {row['node']}", set()).add(row["code"])
    if len(found["GPU"]) > 1:
        found["GPU"] -= {"none", "yes, not named"}
    return {name: sorted(values) for name, values in found.items() if values}


def rates(rows: list[dict], nodes: list[dict]) -> list[dict]:
    """The rows of the timings by kind of node, each with its tokens per second of work where it makes any."""
    totals: dict[str, list[float]] = {}
    for row in rows:
        phase, run = RATES.get(row["node"]), row["run"]
        for part in (run, *run.get("shard_runs", [])):
            seconds, rate = part["phases"].get(phase, 0.0), part.get("tokens_per_second")
            if seconds and rate is not None:
                total = totals.setdefault(row["node"], [0.0, 0.0])
                total[0] += rate * seconds
                total[1] += seconds
    speed = {node: tokens / seconds for node, (tokens, seconds) in totals.items()}
    return [{**node, "tokens_per_second": speed.get(node["node"])} for node in nodes]
