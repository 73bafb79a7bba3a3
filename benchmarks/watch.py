"""Run a command, and watch from outside how much memory it takes at most."""

import os
import pathlib
import shutil
import subprocess
import time
import uuid
from dataclasses import dataclass

import psutil

INTERVAL_S = 0.2
MARK = "OPSFT_WATCHED"
"""An environment variable by which processes are known that are no longer below the command: forked nodes, kept engines."""


@dataclass(frozen=True)
class Watched:
    """When a command began, as a time of `time.time`, its wall-clock, and its peak memory in MiB.

    On a machine with a GPU the memory is the device's, all processes together, less what was taken before the start. Elsewhere it is that
    of all processes that the command has started, directly or not, as proportional set size: pages that several share count once.
    """

    began: float
    seconds: float
    peak_memory_mb: int


def run_watched(command: list[str], log: pathlib.Path) -> Watched:
    """Run `command` with its output in `log`. Raises RuntimeError with the end of the log where it fails."""
    idle = settled_memory_mb() if has_gpu() else 0
    peak, mark = 0, uuid.uuid4().hex
    began, started = time.time(), time.monotonic()
    options = {"stderr": subprocess.STDOUT, "env": os.environ | {MARK: mark}}
    with open(log, "wb") as output, subprocess.Popen(command, stdout=output, **options) as process:
        while not has_ended(process):
            peak = max(peak, device_memory_mb() if has_gpu() else marked_memory_mb(mark))
    seconds = time.monotonic() - started
    check_status(process.returncode, command, log)
    return Watched(began, round(seconds, 2), round(peak - idle))


def check_status(status: int, command: list[str], log: pathlib.Path) -> None:
    """Raise RuntimeError with the end of its log where a command has failed."""
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        raise RuntimeError(f"{' '.join(command[:6])} … ended with status {status}:\n{tail}")


def has_ended(process: subprocess.Popen) -> bool:
    """Wait for `INTERVAL_S` at most; True where the process has ended."""
    try:
        process.wait(timeout=INTERVAL_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def has_gpu() -> bool:
    return shutil.which("nvidia-smi") is not None


def device_memory_mb() -> float:
    """Memory in use on the first GPU, in MiB."""
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    return float(subprocess.run(query, check=True, capture_output=True, text=True).stdout)


def settled_memory_mb(patience_s: float = 30.0) -> float:
    """The same when it no longer falls: engines of the command before may still be ending."""
    deadline = time.monotonic() + patience_s
    before, now = float("inf"), device_memory_mb()
    while now < before and time.monotonic() < deadline:
        time.sleep(2.0)
        before, now = now, device_memory_mb()
    return now


def marked_memory_mb(mark: str) -> float:
    """Proportional set size of all processes that were started with the mark, in MiB; those that end meanwhile count nothing."""
    return sum(marked_set_size(process, mark) for process in psutil.process_iter()) / 2**20


def marked_set_size(process: psutil.Process, mark: str) -> int:
    """In bytes; 0 for a process without the mark, or one that has ended."""
    try:
        return process.memory_full_info().pss if process.environ().get(MARK) == mark else 0
    except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
        return 0
