"""What a dry run costs: of what Snakemake asks of a job, each thing is worked out once at most."""

import pstats
import subprocess
import sys

import pytest
import yaml

from tests.workflow.conftest import ROOT

POINTS, ITERATIONS = 4, 5
JOBS_OF = {"generate": 2, "verify": 2, "filter": 1, "sft": 1, "evaluate": 1}
"""Jobs of an iteration of a point."""


@pytest.fixture(scope="module")
def calls(tmp_path_factory) -> dict[str, int]:
    """How often each function was called by a dry run that prints counts only, by its name."""
    folder = tmp_path_factory.mktemp("dry-run")
    overlay, profile = folder / "overlay.yaml", folder / "profile"
    block = {
        "models": ["toy"],
        "recipes": ["opsft"],
        "budgets": [24],
        "seeds": [*range(POINTS)],
        "benchmarks": ["sums"],
    }
    overlay.write_text(yaml.safe_dump({"recipes": {"opsft": {"iterations": ITERATIONS}}, "sweep": [block]}))
    command = [sys.executable, "-m", "cProfile", "-o", str(profile), "-m", "snakemake", "--dry-run", "--quiet", "rules"]
    where = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder), "--configfile", str(overlay)]
    done = subprocess.run([*command, *where], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"sft {POINTS * ITERATIONS:>13}" in done.stdout
    counts: dict[str, int] = {}
    for (_, _, name), (_, number, *_) in pstats.Stats(str(profile)).stats.items():
        counts[name] = counts.get(name, 0) + number
    return counts


def test_the_settings_of_a_job_are_made_once(calls):
    for node, number in JOBS_OF.items():
        jobs = POINTS * ITERATIONS * number + (node in ("generate", "verify", "evaluate"))
        # Twice more for the configuration of each point's run, which names the code of its nodes.
        assert jobs <= calls[f"{node}_settings"] <= jobs + 2 * POINTS, node


def test_a_dry_run_that_prints_counts_formats_no_job(calls):
    assert calls["expand_params"] > POINTS * ITERATIONS * sum(JOBS_OF.values())
    assert "format_wildcards" not in calls
    assert "expand_resources" not in calls


def test_signatures_are_worked_out_for_functions_and_not_for_jobs(calls):
    # Imports work out some hundred of them; without signatures beside the functions it is 17 a job.
    assert calls["_signature_from_function"] < 3 * calls["expand_params"]
