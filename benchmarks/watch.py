"""Run a command, and watch from outside how much memory it takes at most."""

import pathlib
import shutil
import subprocess
import time
from dataclasses import dataclass

import psutil

INTERVAL_S = 0.2


@dataclass(frozen=True)
class Watched:
    """Wall-clock of a command, and its peak memory in MiB.

    On a machine with a GPU the memory is the device's, all processes together, less what was taken before the start. Elsewhere it is that
    of the process tree as proportional set size: pages that several processes share count once.
    """

    seconds: float
    peak_memory_mb: int


def run_watched(command: list[str], log: pathlib.Path) -> Watched:
    """Run `command` with its output in `log`. Raises RuntimeError with the end of the log where it fails."""
    idle = device_memory_mb() if has_gpu() else 0
    peak = 0
    started = time.monotonic()
    with open(log, "wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        while not has_ended(process):
            peak = max(peak, device_memory_mb() if has_gpu() else tree_memory_mb(process.pid))
    seconds = time.monotonic() - started
    check_status(process.returncode, command, log)
    return Watched(round(seconds, 2), round(peak - idle))


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


def tree_memory_mb(root: int) -> float:
    """Proportional set size of the process `root` and all below it, in MiB; those that end meanwhile count nothing."""
    total = 0
    try:
        parent = psutil.Process(root)
        for process in [parent, *parent.children(recursive=True)]:
            total += proportional_set_size(process)
    except psutil.NoSuchProcess:
        pass
    return total / 2**20


def proportional_set_size(process: psutil.Process) -> int:
    """In bytes; 0 for a process that has ended."""
    try:
        return process.memory_full_info().pss
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0
