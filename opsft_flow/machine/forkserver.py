"""A process that has imported what nodes need, and forks one process for each of them.

`opsft_flow.machine.launch` starts it and gives it work. It imports only packages of others: the project's own code is read anew by every
node, so an edit is never missed. It ends when its workflow is gone, and takes with it what still runs. A node whose
launcher is gone is killed too, with every process that it started.
"""

import contextlib
import gc
import importlib
import os
import selectors
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from opsft_flow.machine import messages
from opsft_flow.machine.launch import UNFIT, run_script
from opsft_flow.machine.runtime import Head, die_with_parent, kill_session, listen, remove_leftovers_of_heads

PRELOADED = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "torch",
    "safetensors.torch",
    "transformers.generation.utils",
    "transformers.models.llama.modeling_llama",
    "transformers.models.qwen2.modeling_qwen2",
    "transformers.models.seed_oss.modeling_seed_oss",
    "mpmath",
    "pebble",
)
"""What is imported, where it is installed."""


@dataclass(eq=False)
class Job:
    """A script that runs: its process, what tells when that has ended, and the connection on which its launcher waits."""

    pid: int
    process: int
    launcher: socket.socket


class ForkServer:
    """Forks a process for each order that arrives at `path`, for as long as `head` lives."""

    def __init__(self, path: Path, head: Head) -> None:
        self.path = path
        self.jobs: set[Job] = set()
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
                elif key.data in self.jobs and key.fileobj == key.data.process:
                    self.end(key.data)
                elif key.data in self.jobs:
                    self.events.unregister(key.fileobj)
                    kill_session(key.data.pid)

    def accept(self) -> dict | None:
        """Take an order and fork; returns it in the forked process."""
        launcher, _ = self.listener.accept()
        launcher.settimeout(messages.PATIENCE_S)
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
        with contextlib.suppress(OSError):
            messages.send(launcher, pid)
        job = Job(pid, os.pidfd_open(pid), launcher)
        self.jobs.add(job)
        self.events.register(job.process, selectors.EVENT_READ, data=job)
        self.events.register(launcher, selectors.EVENT_READ, data=job)
        return None

    def end(self, job: Job) -> None:
        """Tell the launcher how its script ended."""
        self.jobs.remove(job)
        status = os.waitstatus_to_exitcode(os.waitpid(job.pid, 0)[1])
        self.events.unregister(job.process)
        with contextlib.suppress(KeyError):  # a launcher that is gone is no longer waited for
            self.events.unregister(job.launcher)
        os.close(job.process)
        with job.launcher, contextlib.suppress(OSError):
            messages.send(job.launcher, status if status >= 0 else 128 - status)

    def close(self) -> None:
        """End all that still runs, and leave nothing behind."""
        for job in self.jobs:
            kill_session(job.pid)
        remove_leftovers_of_heads()

    def become_node(self, order: dict, files: list[int], server: int) -> None:
        """Turn the forked process into what a fresh one would be: nothing of the server's is left but the imported modules."""
        os.setsid()
        die_with_parent()
        if os.getppid() != server:
            os._exit(1)
        for job in self.jobs:
            job.launcher.close()
            os.close(job.process)
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


def preload() -> bool:
    """Import what nodes need; False where that has initialised CUDA, which does not survive a fork."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    torch = sys.modules.get("torch")
    return torch is None or not torch.cuda.is_initialized()


def main() -> None:
    path, pid, started = sys.argv[1:]
    server = ForkServer(Path(path), Head(int(pid), int(started)))
    if not preload():
        Path(path).with_suffix(UNFIT).touch()
        sys.exit("importing has initialised CUDA: nothing is forked here")
    # Objects that are never looked at by the collector are never copied either: forked processes share their memory.
    gc.collect()
    gc.freeze()
    order = server.serve()
    if order is not None:
        run_script(order["command"], order["started"])


if __name__ == "__main__":
    main()
