"""A process that has imported what nodes need, and forks one process for each of them.

`opsft_flow.machine.launch` starts it and gives it work. It imports only packages of others: the project's own code is read anew by every
node, so an edit is never missed. It ends when its workflow is gone, and takes with it what still runs. A node whose
launcher is gone is killed too, with every process that it started.
"""

import contextlib
import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import NamedTuple

from opsft_flow.machine import messages
from opsft_flow.machine.launch import run_script
from opsft_flow.machine.runtime import Head, kill_session, listen, remove_leftovers_of_heads

PRELOADED = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "torch",
    "safetensors.torch",
    "transformers.generation.utils",
    "transformers.models.llama.modeling_llama",
    "transformers.models.qwen2.modeling_qwen2",
    "math_verify",
    "pebble",
)
"""What is imported, where it is installed."""

PR_SET_PDEATHSIG = 1


class Job(NamedTuple):
    """A script that runs: its process, and the connection on which its launcher waits."""

    pid: int
    launcher: socket.socket


class ForkServer:
    """Forks a process for each order that arrives at `path`, for as long as `head` lives."""

    def __init__(self, path: Path, head: Head) -> None:
        self.path = path
        self.jobs: dict[int, Job] = {}
        self.listener = listen(path)
        self.head = os.pidfd_open(head.pid)
        if not head.is_alive():
            raise ProcessLookupError(f"process {head.pid}, the workflow, has ended")
        self.events = selectors.DefaultSelector()
        self.events.register(self.listener, selectors.EVENT_READ)
        self.events.register(self.head, selectors.EVENT_READ)

    def serve(self) -> dict | None:
        """Fork processes until the head is gone. Returns None in the server, and the order to carry out in a forked process."""
        while True:
            for key, _ in self.events.select():
                if key.fileobj is self.head:
                    self.close()
                    return None
                if key.fileobj is self.listener:
                    order = self.accept()
                    if order is not None:
                        return order
                elif key.fileobj in self.jobs:
                    self.end(key.fileobj)
                elif key.data in self.jobs:
                    self.events.unregister(key.fileobj)
                    kill_session(self.jobs[key.data].pid)

    def accept(self) -> dict | None:
        """Take an order and fork; returns it in the forked process."""
        launcher, _ = self.listener.accept()
        received = messages.receive(launcher, most_files=2)
        if received is None:
            launcher.close()
            return None
        order, files = received
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            launcher.close()
            self.become_node(order, files, server)
            return order
        for file in files:
            os.close(file)
        with contextlib.suppress(BrokenPipeError):
            messages.send(launcher, pid)
        process = os.pidfd_open(pid)
        self.jobs[process] = Job(pid, launcher)
        self.events.register(process, selectors.EVENT_READ)
        self.events.register(launcher, selectors.EVENT_READ, data=process)
        return None

    def end(self, process: int) -> None:
        """Tell the launcher how its script ended."""
        pid, launcher = self.jobs.pop(process)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.events.unregister(process)
        with contextlib.suppress(KeyError):  # a launcher that is gone is no longer waited for
            self.events.unregister(launcher)
        os.close(process)
        with launcher, contextlib.suppress(BrokenPipeError):
            messages.send(launcher, status if status >= 0 else 128 - status)

    def close(self) -> None:
        """End all that still runs, and leave nothing behind."""
        for job in self.jobs.values():
            kill_session(job.pid)
        remove_leftovers_of_heads()

    def become_node(self, order: dict, files: list[int], server: int) -> None:
        """Turn the forked process into what a fresh one would be: nothing of the server's is left but the imported modules."""
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != server:
            os._exit(1)
        for job in self.jobs.values():
            job.launcher.close()
        for process in self.jobs:
            os.close(process)
        self.events.close()
        self.listener.close()
        os.close(self.head)
        for target, file in zip((sys.stdout.fileno(), sys.stderr.fileno()), files, strict=True):
            os.dup2(file, target)
            os.close(file)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        own = __package__.partition(".")[0]
        for name in [name for name in sys.modules if name.partition(".")[0] == own]:
            del sys.modules[name]


def main() -> None:
    path, pid, started = sys.argv[1:]
    server = ForkServer(Path(path), Head(int(pid), int(started)))
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # Objects that are never looked at by the collector are never copied either: forked processes share their memory.
    gc.collect()
    gc.freeze()
    order = server.serve()
    if order is not None:
        run_script(order["command"], order["started"])


if __name__ == "__main__":
    main()
