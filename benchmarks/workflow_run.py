"""A run of the workflow on one point, watched from outside: when each policy was there, and what its iteration took."""

import pathlib
import sys

import yaml

from benchmarks.watch import Watched, run_watched
from opsft_flow.files import read_json
from opsft_flow.places import is_measured, iteration_folder, policy_manifest, problem_file
from opsft_flow.points import Point
from opsft_flow.reporting.timings import time_columns
from opsft_flow.weights.policy import locate


def run_snakemake(targets: list[pathlib.Path], overlays: list[str], log: pathlib.Path) -> Watched:
    """Make the targets on all cores."""
    command = [sys.executable, "-m", "snakemake", *map(str, targets), "--cores", "all", "--configfile", *overlays]
    return run_watched(command, log)


def read_runs(iteration: pathlib.Path) -> dict[str, dict]:
    """What the sidecars of an iteration's folder say of its training, by kind of node."""
    files = [*sorted((iteration / "train").glob("*.run.json")), iteration / "policy.run.json"]
    return {sidecar["settings"]["node"]: sidecar["run"] for sidecar in map(read_json, files)}


def overlay_of(point: Point, block: dict, recipe: dict, iterations: int, every: int) -> dict:
    """An overlay of the point alone, which keeps each `every`-th of its policies and the last; `block` is a block of the sweep with its benchmarks."""
    sweep = {
        "models": [point.model],
        "recipes": [point.recipe],
        "budgets": [point.budget],
        "seeds": [point.seed],
        "benchmarks": block["benchmarks"],
    }
    changed = {"iterations": iterations, "sft": {"microbatch_tokens": recipe["sft"]["microbatch_tokens"]}}
    return {"keep": {"every": every}, "recipes": {point.recipe: changed}, "sweep": [sweep]}


def train_policies(
    problems: str, point: Point, overlay: dict, configfile: list[str], folder: pathlib.Path
) -> tuple[Watched, list[dict], dict[int, pathlib.Path]]:
    """Train the policies of an overlay from nothing and measure none: the command, its iterations, and the policies that were kept.

    What is prepared once for a sweep, problem sets and the base model's manifest, is made before and not counted. All sums of an iteration
    are those since the start.
    """
    results, file = folder / "results", folder / "overlay.yaml"
    file.write_text(yaml.safe_dump({**overlay, "results": str(results)}))
    overlays, iterations = [*configfile, str(file)], overlay["recipes"][point.recipe]["iterations"]
    before = [results / policy_manifest(point.model, None, 0), results / problem_file(problems)]
    run_snakemake(before, overlays, folder / "log")
    last = results / policy_manifest(point.model, point, iterations)
    watched = run_snakemake([last], overlays, folder / "log")
    kept = [i for i in range(1, iterations + 1) if is_measured(i, overlay["keep"]["every"], iterations)]
    manifests = {i: results / policy_manifest(point.model, point, i) for i in kept}
    policies = {i: locate(file, read_json(file)) for i, file in manifests.items()}
    return watched, read_iterations(results, point, iterations, watched.began), policies


def read_iterations(results: pathlib.Path, point: Point, iterations: int, began: float) -> list[dict]:
    """A row for each iteration; `seconds` are those from `began` until its policy was in place, as its manifest's time of change says."""
    rows, work, sampled = [], 0.0, 0
    for i in range(1, iterations + 1):
        iteration = results / iteration_folder(point, i)
        runs, selection = read_runs(iteration), read_json(iteration / "train" / "filter.json")
        manifest = iteration / "policy.json"
        work += sum(time_columns(run)["work"] for run in runs.values())
        sampled += runs["generate"]["tokens"]
        rows.append(
            {
                "iteration": i,
                "seconds": round(manifest.stat().st_mtime - began, 2),
                "work_s": round(work, 2),
                "reward": round(selection["kept_share"], 4),
                "tokens_sampled": sampled,
                "tokens_trained": read_json(manifest)["tokens_trained"],
            }
        )
    return rows
