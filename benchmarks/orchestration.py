"""What the orchestration costs: seconds a node beyond its work, and the time of a dry run of 12,000 jobs. On a CPU.

    python -m benchmarks.orchestration --output benchmarks/results/orchestration.json

The embedded default sweep, whole or shrunk (`--configfile tests/shrunk.yaml`), is run from nothing on `--cores` cores.

- *work* of a node: its phases of work and of writing, as `opsft_flow.timings` names them. Starting, importing, loading, reading, and what
  is in no phase is not work, so a node that names no phases counts as none.
- *beyond work* of a node: from the start of its launcher to its end, by its sidecar, less its work.
- *between*: core-seconds in which no job ran, a node: (cores x wall-clock of the whole command - sum of all jobs) / nodes. Snakemake's
  own start, its check before the first sample, scheduling, and cores for which no job was ready.

Wall-clock suffers from other work on the machine; `cpu_s`, the processor time of the dry run, hardly does.
"""

import argparse
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import yaml

from benchmarks import record, setting
from benchmarks.watch import check_status
from opsft_flow.files import read_json
from opsft_flow.timings import WORK, WRITING

NODES_AN_ITERATION = 7
"""generate, verify, filter and sft; generate, verify and evaluate of a benchmark."""


def snakemake(folder: pathlib.Path, overlays: list[str], own: dict, *arguments: str) -> dict:
    """Run Snakemake with a results folder of its own and `own` over the other overlays; returns its wall-clock and processor time.

    Forked nodes are not its children, so their processor time is not in it. Nothing watches its memory meanwhile: on two cores that would show.
    """
    overlay = folder / "overlay.yaml"
    overlay.write_text(yaml.safe_dump({"results": str(folder / "results"), **own}))
    command = [sys.executable, "-m", "snakemake", *arguments, "--configfile", *overlays, str(overlay)]
    log = folder / "log"
    started, used = time.monotonic(), children_cpu_s()
    with open(log, "wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT)
    wall = time.monotonic() - started
    check_status(done.returncode, command, log)
    return {"wall_s": round(wall, 2), "cpu_s": round(children_cpu_s() - used, 2)}


def children_cpu_s() -> float:
    """Processor time of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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


def measure_dry_run(overlays: list[str], jobs: int, iterations: int) -> dict:
    """Plan a sweep of about `jobs` jobs on a fresh results folder: as many seeds as it takes."""
    config = setting.load_config(overlays)
    seeds = round(jobs / (NODES_AN_ITERATION * iterations + 1))
    block = {**config["sweep"][0], "budgets": config["sweep"][0]["budgets"][:1], "seeds": list(range(seeds))}
    own = {"recipes": {name: {"iterations": iterations} for name in block["recipes"]}, "sweep": [block]}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        times = snakemake(folder, overlays, own, "--dry-run", "--quiet", "rules")
        counted = [line.split() for line in (folder / "log").read_text().splitlines() if line.startswith("total ")]
    return {"kind": "dry run", "points": seeds, "iterations": iterations, "jobs": int(counted[0][1]), **times}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    record.add_arguments(parser)
    parser.add_argument("--configfile", nargs="*", default=[], help="overlays over config.yaml, as for snakemake")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=12_000, help="jobs of the dry run, about; 0 for none")
    parser.add_argument("--iterations", type=int, default=50, help="iterations of a point in the dry run")
    options = parser.parse_args()
    rows = measure_sweep(options.configfile, options.cores)
    if options.jobs:
        rows.append(measure_dry_run(options.configfile, options.jobs, options.iterations))
    parameters = {
        "overlays": options.configfile,
        "cores": options.cores,
        "work_phases": sorted(WORK + WRITING),
        "versions": record.versions(),
    }
    record.write_record(options, "orchestration", parameters, rows)


if __name__ == "__main__":
    main()
