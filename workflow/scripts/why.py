"""Print which jobs would run, and why: Snakemake is asked what it would do, and its answer is put into words. Nothing is run."""

import argparse
import ast
import contextlib
import json
import os
import re
import sys
from pathlib import Path

import snakemake.api  # noqa: F401, of these modules it must be the first that is imported
from snakemake.dag import DAG
from snakemake.jobs import Job
from snakemake.persistence import ParamsChange

from opsft_flow.graph.ask_snakemake import decided
from opsft_flow.graph.outside import outside
from opsft_flow.graph.plan import Plan
from opsft_flow.graph.setting_changes import changes
from opsft_flow.graph.why import MOST_LINES, PlannedJob, aligned, every_job, in_groups, totals
from opsft_flow.machine.failure import one_message
from opsft_flow.machine.launch import with_settings
from opsft_flow.machine.printable import make_output_printable

TOLD = (
    "output files have to be generated",
    "updated input files",
    "input files updated by another job",
    "set of input files has changed since last execution",
)
"""Reasons of Snakemake's that `PlannedJob` holds in more detail."""


def planned_jobs(dag: DAG, results: str, codes: str) -> list[PlannedJob]:
    """The jobs that would run, in an order in which they can."""
    would_run = {job for job in dag.needrun_jobs() if not job.is_norun}
    levels = [sorted(would_run.intersection(level), key=natural) for level in dag.toposorted()]
    return [planned(dag, job, results, codes) for level in levels for job in level]


def natural(job: Job) -> list[int | str]:
    """Sorts jobs by their files, numbers in these by their size."""
    parts = re.split(r"(\d+)", f"{next(iter(job.output), '')} {job.rule.name}")
    return [int(part) if part.isdigit() else part for part in parts]


def planned(dag: DAG, job: Job, results: str, codes: str) -> PlannedJob:
    """What Snakemake found of one job."""
    reason, known = dag.reason(job), dag.workflow.persistence
    at = place_of(job, results)
    # Snakemake compares no settings where an input is made anew. They may differ all the same.
    settings = settings_changes(known.params_changed(job), at, codes)
    recorded = set(known.input(job.output[0]) or ()) if reason.input_changed else set()
    inputs = set(map(str, job.input)) if reason.input_changed else set()
    return PlannedJob(
        rule=job.rule.name,
        at=at,
        made=any(os.path.exists(file) or file.flags.get("temp") for file in job.output),
        begun=bool(dag.workflow.async_run(known.incomplete(job))),
        missing=names(file for file in reason.missing_output if not file.flags.get("temp")),
        changes=tuple(settings),
        changed=names(reason.updated_input - reason.updated_input_run),
        renewed=names(reason.updated_input_run),
        added=len(inputs - recorded),
        dropped=len(recorded - inputs),
        other=tuple(
            name
            for name in reason.get_names()
            if name not in TOLD and not (settings and name.startswith("params have changed"))
        ),
    )


def place_of(job: Job, results: str) -> str:
    """The folder of the results tree that a job works in; a problem set by its name; what lies elsewhere as it is."""
    if not job.output:
        return "-"
    folder, file = os.path.split(os.path.relpath(job.output[0], results))
    return f"{folder}/{Path(file).stem}" if folder == "problems" else folder


def settings_changes(found: ParamsChange, at: str, codes: str) -> list[str]:
    """What differs between the settings that Snakemake has recorded and those of now; nothing where these are not ours."""
    recorded, now = ([s for s in map(as_settings, sorted(sets)) if s] for sets in (found.only_old, found.only_new))
    return changes(recorded[0], now[0], at, codes) if recorded and now else []


def as_settings(recorded: str) -> dict | None:
    """The settings of a node from a parameter as Snakemake records it, the `repr` of a string; None for any other parameter."""
    with contextlib.suppress(ValueError, SyntaxError, TypeError):
        value = json.loads(ast.literal_eval(recorded))
        return value if isinstance(value, dict) and "node" in value else None
    return None


def names(files) -> tuple[str, ...]:
    return tuple(sorted(os.path.basename(file) for file in files))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--log", required=True)
    arguments = parser.parse_args(with_settings(sys.argv[1:]))
    settings = json.loads(arguments.settings)
    plan = Plan(settings["resolved"])
    with decided(settings["workflow"]) as dag:
        jobs = planned_jobs(dag, plan.results, settings["codes"])
    every, left = every_job(jobs), aligned((name, f"on disk, not in the sweep: {what}") for name, what in outside(plan))
    end = [*totals(jobs), *left]
    Path(arguments.log).write_text("\n".join([*every, *end, ""]))
    print(*(every if len(jobs) <= MOST_LINES else in_groups(jobs)), *end, sep="\n")
    if len(jobs) > MOST_LINES:
        print(f"A line for each job: {arguments.log}")


if __name__ == "__main__":
    make_output_printable()
    with one_message(os.getcwd()):
        main()
