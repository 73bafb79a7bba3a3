"""A command that starts a process for each GPU runs on GPUs that it holds alone."""

import os
import signal
import subprocess
import sys
import time

import pytest

from opsft_flow.machine.runtime import FOLDER, HEAD, process_start
from tests.unit.processes import ROOT, is_running


@pytest.fixture
def environment(tmp_path) -> dict:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "nvidia-smi").write_text("#!/bin/sh\nprintf '0, GPU-aaaa, 81559\\n1, GPU-bbbb, 81559\\n'\n")
    (programs / "nvidia-smi").chmod(0o755)
    unset = ("CUDA_VISIBLE_DEVICES",)
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    path = f"{programs}:{os.environ['PATH']}"
    return kept | {"PATH": path, FOLDER: str(tmp_path / "run"), "PYTHONPATH": str(ROOT)}


def run(environment: dict, count: int, *command: str) -> subprocess.CompletedProcess:
    start = [sys.executable, "-P", "-m", "opsft_flow.machine.with_gpus", str(count), *command]
    return subprocess.run(start, env=environment, capture_output=True, text=True)


def test_the_command_sees_its_gpus_and_its_status_is_passed_on(environment):
    done = run(environment, 2, "sh", "-c", "echo $CUDA_VISIBLE_DEVICES ${OPSFT_GPUS_SINCE%%.*}; exit 7")
    gpus, since = done.stdout.split()
    assert (done.returncode, gpus) == (7, "GPU-aaaa,GPU-bbbb")
    assert 0 <= time.time() - int(since) < 600


def test_more_gpus_than_there_are_is_one_message(environment):
    done = run(environment, 3, "true")
    assert done.returncode == 1
    assert done.stderr == "error: 3 GPUs are asked for (resources.*.gpu); this process may use 2\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_command_ends_with_what_holds_its_gpus_and_keeps_them_until_then(environment, tmp_path, number):
    """The command takes its time to end, as torchrun does; meanwhile nobody else gets its GPUs."""
    slow = "trap 'sleep 1; exit 1' TERM; echo $$; while true; do sleep 0.1; done"
    start = [sys.executable, "-P", "-m", "opsft_flow.machine.with_gpus", "2", "sh", "-c", slow]
    holder = subprocess.Popen(start, env=environment, stdout=subprocess.PIPE, text=True)
    command = int(holder.stdout.readline())
    holder.send_signal(number)
    next_one = subprocess.Popen(
        [*start[:4], "1", "sh", "-c", f"kill -0 {command} && echo both; echo alone"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert next_one.communicate(timeout=30)[0].splitlines()[-1] == "alone"
    assert not is_running(command)
    holder.wait(timeout=30)


def test_a_command_ends_with_its_workflow(environment):
    head = subprocess.Popen(["sleep", "600"])
    environment |= {HEAD: f"{os.uname().nodename}:{head.pid}:{process_start(head.pid)}"}
    start = [sys.executable, "-P", "-m", "opsft_flow.machine.with_gpus", "1", "sh", "-c", "echo $$; exec sleep 600"]
    holder = subprocess.Popen(start, env=environment, stdout=subprocess.PIPE, text=True)
    command = int(holder.stdout.readline())
    head.kill()
    head.wait()
    assert holder.wait(timeout=30) == 1
    assert not is_running(command)
