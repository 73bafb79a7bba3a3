"""Start the script of a node: `python -P -m opsft_flow.machine.launch SCRIPT ARGUMENT...`

Where a workflow runs on this machine, the script runs in a process forked from one that has imported torch and the like
already (`opsft_flow.machine.forkserver`): that saves seconds a node. Else, or where that server is killed, it runs right here, with
the same result. This module is imported for every node, so it imports next to nothing itself.
"""

import fcntl
import itertools
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
import zlib
from pathlib import Path

from opsft_flow.machine import messages
from opsft_flow.machine.clock import pass_clock
from opsft_flow.machine.printable import make_output_printable
from opsft_flow.machine.runtime import Head, connect, end_process, find_head, remove_leftovers_of_heads

FORK = "OPSFT_FORK"
"""Set to 1 where nodes are to be forked."""

UNFIT = ".unfit"
"""Suffix of the file by which a fork server says that it must not fork: nodes then run by themselves."""

HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"
"""PyTorch reads it with its first tensor. Set to 1, fresh memory for large tensors comes in pages of 2 MiB, not of 4 KiB."""

SERVER_ENVIRONMENT = {
    # Numerical libraries must not have started threads before a fork. Nodes set their own number once they are forked.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Asking for GPUs must not initialise CUDA, which does not survive a fork.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}


def main() -> None:
    started = time.time()
    command = with_settings(sys.argv[1:])
    os.environ.setdefault(HUGE_PAGES, "1")
    head = find_head() if os.environ.get(FORK) == "1" else None
    if head is not None:
        try:
            status = run_forked(head, command, started)
        except (PermissionError, ValueError) as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            # The script is ended with its launcher.
            sys.exit(128 + signal.SIGINT)
        if status is not None:
            sys.exit(status)
        if not head.is_alive():
            sys.exit("error: the workflow that started this node has ended")
    run_script(command, started)


def with_settings(command: list[str]) -> list[str]:
    """A command whose settings, where they are `-`, are read from standard input.

    Those of a node of the whole sweep grow with it, and Linux takes no argument of more than 128 KiB.
    """
    pairs = itertools.pairwise(["", *command])
    return [sys.stdin.read() if pair == ("--settings", "-") else pair[1] for pair in pairs]


def run_script(command: list[str], started: float) -> None:
    """Run a script as if Python had been started with it; `started` is when its node was, in seconds since the epoch."""
    pass_clock(started)
    make_output_printable()
    sys.argv = command
    sys.path.insert(0, str(Path(command[0]).parent))
    try:
        runpy.run_path(command[0], run_name="__main__")
    except Exception as error:
        # Of an import, or of a script without a frame of its own. Imported here: a script finds none of this project's code loaded.
        from opsft_flow.machine.failure import end_with

        end_with(error, os.getcwd())


def run_forked(head: Head, command: list[str], started: float) -> int | None:
    """The exit status of the script, run by the head's fork server; None where that server is gone before the script has ended."""
    server = reach_server(head)
    if server is None:
        return None
    order = {"command": command, "folder": os.getcwd(), "environment": dict(os.environ), "started": started}
    with server:
        try:
            messages.send(server, order, files=(sys.stdout.fileno(), sys.stderr.fileno()))
        except BrokenPipeError:
            return None
        process = messages.receive(server)
        status = messages.receive(server)
    if process and not status:
        # The script dies with its server; it must be dead before it begins again.
        end_process(process[0])
    return status[0] if status else None


def reach_server(head: Head) -> socket.socket | None:
    """A connection to the head's fork server for this interpreter, which the first node starts; None where it cannot serve."""
    name = f"fork-{zlib.crc32(sys.executable.encode()):08x}"
    path = head.folder() / f"{name}.sock"
    if path.with_suffix(UNFIT).exists():
        return None
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = connect(path)
        if connection is None:
            remove_leftovers_of_heads()
            process = start_server(path, head)
            while connection is None and process.poll() is None:
                time.sleep(0.02)
                connection = connect(path)
    return connection


def start_server(path: Path, head: Head) -> subprocess.Popen:
    """Start the fork server in a session of its own: a signal to the workflow's processes does not reach it."""
    with open(path.with_suffix(".log"), "a") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "opsft_flow.machine.forkserver", str(path), str(head.pid), str(head.started)],
            env=os.environ | SERVER_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


if __name__ == "__main__":
    main()
