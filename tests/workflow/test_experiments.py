"""The experiments that need GPUs, planned: a dry run finds every node, and how it is started."""

import re
import subprocess
import sys

import pytest

from tests.workflow.conftest import ROOT

PAPER = "experiments/paper-1.5b.yaml"


@pytest.mark.parametrize(
    ("overlays", "jobs", "command_part"),
    [
        # Five benchmarks, of the base model, after iteration 2 and after the last.
        ((PAPER,), {"generate": 3 + 15, "verify": 3 + 15, "sft": 3, "evaluate": 15}, "sft.py --gpus 1 "),
        ((PAPER, "experiments/paper-7b.yaml"), {"generate_shard": 2 * (3 + 15), "sft": 3}, "--nproc-per-node 4 "),
    ],
)
def test_the_papers_runs_are_planned_with_what_they_need(tmp_path, overlays, jobs, command_part):
    shorter = tmp_path / "shorter.yaml"
    every = ", ".join(f"{name}: {{every: 2}}" for name in ("gsm8k", "math-500", "amc23", "aime24", "aime25"))
    shorter.write_text(f"recipes: {{opsft: {{iterations: 3}}}}\nbenchmarks: {{{every}}}\n")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path)]
    files = [str(ROOT / name) for name in (*overlays, "experiments/vllm.yaml")]
    done = subprocess.run(
        [
            *command,
            "--configfile",
            *files,
            str(shorter),
            "--dry-run",
            "--printshellcmds",
            "--cores",
            "32",
            "--resources",
            "gpu=4",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    planned = dict(re.findall(r"^(\w+)\s+(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    assert {name: int(planned[name]) for name in jobs} == jobs
    assert command_part in done.stdout + done.stderr
