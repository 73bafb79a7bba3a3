"""What the orchestration costs: seconds a node beyond its work, and what a dry run of a large sweep takes. On a CPU.

    python -m benchmarks.orchestration --output benchmarks/results/orchestration.json
    python -m benchmarks.orchestration --dry-run-only --points 50 --iterations 100 --output benchmarks/results/orchestration-dry-run.json

The embedded default sweep, whole or shrunk (`--configfile tests/shrunk.yaml`), is run from nothing on `--cores` cores.

- *work* of a node: its phases of work and of writing, as `opsft_flow.reporting.timings` names them. Starting, importing, loading, reading, and what
  is in no phase is not work, so a node that names no phases counts as none.
- *beyond work* of a node: from the start of its launcher to its end, by its sidecar, less its work.
- *between*: core-seconds in which no job ran, a node: (cores x wall-clock of the whole command - sum of all jobs) / nodes. Snakemake's
  own start, its check before the first sample, scheduling, and cores for which no job was ready.

The dry run prints counts only (`--dry-run --quiet rules`), of a sweep of which nothing has been run. Wall-clock suffers from other work on the
machine; `cpu_s`, the processor time of the dry run, does so less.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import yaml

from benchmarks import record, setting
from benchmarks.watch import check_status
from opsft_flow.files import read_json
from opsft_flow.reporting.timings import WORK, WRITING


def snakemake(folder: pathlib.Path, overlays: list[str], own: dict, *arguments: str) -> dict:
    """Run Snakemake with a results folder of its own and `own` over the other overlays; returns its wall-clock, processor time and memory.

    Forked nodes are not its children, so what they use is not in it.
    """
    overlay = folder / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"results": str(folder / "results"), **own}))
    command = [sys.executable, "-m", "snakemake", *arguments, "--configfile", *overlays, str(overlay)]
    log = folder / "log"
    started = time.monotonic()
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    wall, process.returncode = time.monotonic() - started, os.waitstatus_to_exitcode(status)
    check_status(process.returncode, command, log)
    return {
        "wall_s": round(wall, 2),
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "peak_memory_mb": used.ru_maxrss // 1024,
    }


def read_nodes(results: pathlib.Path) -> list[dict]:
    """Kind, seconds and work of every node that has run. The check before the first sample is none."""
    nodes = []
    for file in sorted({*results.rglob("*.run.json")} - {*results.glob("problems/checked/*")}):
        sidecar = read_json(file)
        node, run = sidecar["settings"]["node"], sidecar["run"]
        work = sum(seconds for phase, seconds in run["phases"].items() if phase in WORK + WRITING)
        nodes.append({"kind": node, "seconds": run["seconds"], "work": work})
    return nodes


def measure_sweep(overlays: list[str], cores: int) -> list[dict]:
    """A row for every kind of node, and one for the sweep."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        times = snakemake(folder, overlays, {}, "--cores", str(cores))
        nodes = read_nodes(folder / "results")
    rows = [
        summarise(kind, [node for node in nodes if node["kind"] == kind])
        for kind in dict.fromkeys(node["kind"] for node in nodes)
    ]
    idle = cores * times["wall_s"] - sum(node["seconds"] for node in nodes)
    whole = {**summarise("all nodes", nodes), "wall_s": times["wall_s"], "between_s": round(idle / len(nodes), 3)}
    return [*rows, whole]


def summarise(kind: str, nodes: list[dict]) -> dict:
    """Means over the nodes of one kind."""
    seconds, work = (statistics.mean(node[key] for node in nodes) for key in ("seconds", "work"))
    return {
        "kind": kind,
        "nodes": len(nodes),
        "seconds": round(seconds, 3),
        "work_s": round(work, 3),
        "beyond_work_s": round(seconds - work, 3),
        "beyond_work_share": round(1 - work / seconds, 3),
    }


def measure_dry_run(overlays: list[str], points: int, iterations: int) -> dict:
    """Plan a sweep of `points` points, each a seed, on a fresh results folder."""
    config = setting.load_config(overlays)
    block = {**config["sweep"][0], "budgets": config["sweep"][0]["budgets"][:1], "seeds": list(range(points))}
    own = {"recipes": {name: {"iterations": iterations} for name in block["recipes"]}, "sweep": [block]}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        times = snakemake(folder, overlays, own, "--dry-run", "--quiet", "rules")
        counted = [line.split() for line in (folder / "log").read_text().splitlines() if line.startswith("total ")]
    kind = f"dry run, {points:,} x {iterations:,}"
    return {"kind": kind, "points": points, "iterations": iterations, "jobs": int(counted[0][1]), **times}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    record.add_arguments(parser)
    parser.add_argument("--configfile", nargs="*", default=[], help="overlays over config.yaml, as for snakemake")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--dry-run-only", action="store_true", help="measure the dry run and run no sweep")
    parser.add_argument("--points", type=int, default=50, help="points of the dry run; 0 for no dry run")
    parser.add_argument(
        "--iterations", type=int, nargs="+", default=[100], help="of a point; a dry run for each number"
    )
    options = parser.parse_args()
    rows = [] if options.dry_run_only else measure_sweep(options.configfile, options.cores)
    if options.points:
        rows += [measure_dry_run(options.configfile, options.points, number) for number in options.iterations]
    parameters = {
        "overlays": options.configfile,
        "cores": options.cores,
        "work_phases": sorted(WORK + WRITING),
        "versions": record.versions(),
    }
    record.write_record(options, "orchestration", parameters, rows)


if __name__ == "__main__":
    main()
