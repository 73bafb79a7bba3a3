"""A command that starts a process for each GPU runs on GPUs that it holds alone."""

import os
import subprocess
import sys

import pytest

from opsft_flow.machine.runtime import FOLDER
from tests.unit.processes import ROOT


@pytest.fixture
def environment(tmp_path) -> dict:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "nvidia-smi").write_text("#!/bin/sh\nprintf '0, GPU-aaaa, 81559\\n1, GPU-bbbb, 81559\\n'\n")
    (programs / "nvidia-smi").chmod(0o755)
    unset = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    path = f"{programs}:{os.environ['PATH']}"
    return kept | {"PATH": path, FOLDER: str(tmp_path / "run"), "PYTHONPATH": str(ROOT)}


def run(environment: dict, count: int, *command: str) -> subprocess.CompletedProcess:
    start = [sys.executable, "-P", "-m", "opsft_flow.machine.with_gpus", str(count), *command]
    return subprocess.run(start, env=environment, capture_output=True, text=True)


def test_the_command_sees_its_gpus_and_its_status_is_passed_on(environment):
    done = run(environment, 2, "sh", "-c", "echo $CUDA_VISIBLE_DEVICES; exit 7")
    assert (done.returncode, done.stdout) == (7, "GPU-aaaa,GPU-bbbb\n")


def test_more_gpus_than_there_are_is_one_message(environment):
    done = run(environment, 3, "true")
    assert done.returncode == 1
    assert done.stderr == "error: 3 GPUs are asked for (resources.*.gpu); this process may use 2\n"
