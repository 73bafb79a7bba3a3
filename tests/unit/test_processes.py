"""Two processes that train together on the CPU, through torchrun: like one, resumed like one, and ended together."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from tests.rounding import assert_close_in_norm, of_an_update
from tests.unit import train_tiny

ROOT = pathlib.Path(__file__).resolve().parents[2]


def start_two(folder: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run tests/unit/train_tiny.py by two processes on `folder`."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *torchrun, str(ROOT / "tests/unit/train_tiny.py"), str(folder), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)


def assert_same_end(found: pathlib.Path, expected: pathlib.Path) -> None:
    """Loss, log-probabilities, weights and moments, up to the rounding of float64."""
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in (found, expected)]
    probes = [each.pop("probe") for each in metrics]
    rounding = of_an_update(dtype=torch.float64)
    assert probes[0]["logprob"] == pytest.approx(probes[1]["logprob"], rel=rounding)
    assert metrics[0] == pytest.approx(metrics[1], rel=rounding)
    tensors = [load_file(folder / "end.safetensors") for folder in (found, expected)]
    assert tensors[0].keys() == tensors[1].keys()
    for name, tensor in tensors[1].items():
        assert_close_in_norm(tensors[0][name], tensor, rounding)


def test_two_processes_are_ended_by_the_failure_of_one_and_resume_to_what_one_alone_computes(tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    for folder in (alone, together):
        folder.mkdir()
    train_tiny.main(alone, die=False)
    failed = start_two(together, "die")
    assert failed.returncode != 0
    assert "this process ends here" in failed.stderr
    assert not (together / "end.safetensors").exists()
    resumed = start_two(together)
    assert resumed.returncode == 0, resumed.stderr
    assert "resuming after update" in resumed.stdout
    assert_same_end(together, alone)
