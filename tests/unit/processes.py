"""A process that stands for the head of a workflow, and waiting for what other processes do."""

import os
import subprocess
import time
from pathlib import Path

from opsft_flow.machine.launch import FORK
from opsft_flow.machine.runtime import FOLDER, HEAD, process_start

ROOT = Path(__file__).resolve().parents[2]


class FakeHead:
    """A process that lives as long as a workflow would; `environment` is what its nodes find."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o700)
        self.folder = folder
        self.process = subprocess.Popen(["sleep", "600"])
        head = f"{os.uname().nodename}:{self.process.pid}:{process_start(self.process.pid)}"
        self.environment = os.environ | {HEAD: head, FORK: "1", FOLDER: str(folder), "PYTHONPATH": str(ROOT)}

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def wait_until(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for has not happened"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    return process_start(pid) is not None


def find_process(words: str) -> int | None:
    """The oldest process with these words on its command line."""
    found = subprocess.run(["pgrep", "-of", words], capture_output=True, text=True).stdout
    return int(found) if found else None
