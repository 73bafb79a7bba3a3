"""The processes that keep engines between nodes, as their clients see them: found or started by their sockets, and put to sleep."""

import contextlib
import fcntl
import hashlib
import json
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from opsft_flow.machine import messages
from opsft_flow.machine.gpus import Gpu, Loan
from opsft_flow.machine.runtime import Head, connect, runtime_folder


class EngineLost(RuntimeError):
    """An engine's process has ended, or something in it has broken, before it had answered."""


class Connections:
    """Open connections; when one of several engines fails, closing all ends the work of the others."""

    def __init__(self) -> None:
        self.open: list[socket.socket] = []
        self.closed = False

    def __enter__(self) -> "Connections":
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def add(self, connection: socket.socket) -> socket.socket:
        """Keep a connection, to close it. Raises EngineLost where all have been closed."""
        self.open.append(connection)
        if self.closed:
            connection.close()
            raise EngineLost("another engine has failed")
        return connection


def socket_paths(head: Head, loan: Loan, kind: list, engines: int) -> list[Path]:
    """The sockets of `engines` engines of one kind, on these GPUs, for this workflow."""
    whole = json.dumps([sys.executable, *kind], sort_keys=True)
    digest = hashlib.sha256(whole.encode()).hexdigest()[:12]
    return [head.folder() / f"engine-{place_of(loan.gpus)}-{digest}-{k}.sock" for k in range(engines)]


def place_of(gpus: Iterable[Gpu]) -> str:
    """A short name for some GPUs, or for none of them."""
    return "+".join(sorted(map(label, gpus))) or "cpu"


def label(gpu: Gpu) -> str:
    """The index of a GPU, or something as short for a part of one; a share has its number and how many there are behind a dot."""
    name = gpu.index if gpu.index.isdigit() else f"{zlib.crc32(gpu.index.encode()):08x}"
    return name if gpu.shares == 1 else f"{name}.{gpu.share}of{gpu.shares}"


def meet(one: str, other: str) -> bool:
    """Whether two labels are of the same GPU, and not of two shares of it of the same size."""
    if one.split(".")[0] != other.split(".")[0]:
        return False
    same_size = "of" in one and one.split("of")[1:] == other.split("of")[1:]
    return one == other or not same_size


def reach_engine(path: Path, head: Head, idle_s: float) -> tuple[socket.socket, int]:
    """A connection to the engine at `path`, which is started where it is not running, and the id of its process.

    Raises EngineLost where it does not start.
    """
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Once more where the first connection was to a process that was ending.
        for _ in range(2):
            connection = connect(path) or connect_to_new(path, head, idle_s)
            hello = messages.receive(connection) if connection else None
            if hello:
                return connection, hello[0]["process"]
    raise EngineLost(f"the process of an engine does not start\n{last_words(path)}")


def connect_to_new(path: Path, head: Head, idle_s: float) -> socket.socket | None:
    """Start the process of an engine and connect to it; None where it ends at once."""
    process = start_engine(path, head, idle_s)
    connection = None
    while connection is None and process.poll() is None:
        time.sleep(0.02)
        connection = connect(path)
    return connection


def start_engine(path: Path, head: Head, idle_s: float) -> subprocess.Popen:
    """Start the process of an engine in a session of its own: what ends this node does not end it."""
    command = [sys.executable, "-P", "-m", "opsft_flow.machine.engine_server", str(path)]
    with open(path.with_suffix(".log"), "a") as log:
        return subprocess.Popen(
            [*command, str(head.pid), str(head.started), str(idle_s)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def put_to_sleep(gpus: Sequence[Gpu], besides: Sequence[Path] = ()) -> None:
    """Have every engine that waits on these GPUs free their memory, all at once; the caller holds the GPUs' locks.

    Engines of all workflows of this user are meant: a GPU, or a share of one, has one user at a time, whoever kept it warm.
    """
    wanted = list(map(label, gpus))
    sockets = runtime_folder().glob("head-*/engine-*.sock")
    waiting = [path for path in sockets if path not in besides and in_the_way(path, wanted)]
    if waiting:
        with ThreadPoolExecutor(len(waiting)) as pool:
            list(pool.map(put_one_to_sleep, waiting))


def in_the_way(path: Path, wanted: Sequence[str]) -> bool:
    """Whether the engine behind a socket takes memory of a GPU, or of the share, that one of these labels is of."""
    return any(meet(name, mine) for name in path.name.split("-")[1].split("+") for mine in wanted)


def put_one_to_sleep(path: Path) -> None:
    """Have the engine at `path` free its GPU's memory; returns when it has, or when its process has ended."""
    server = connect(path)
    if server is not None:
        with server, contextlib.suppress(BrokenPipeError):
            messages.send(server, {"do": "sleep"})
            while messages.receive(server):
                pass


def is_warm(gpu: Gpu, head: Head) -> bool:
    """True where an engine of this workflow waits on the GPU."""
    return any(label(gpu) in path.name.split("-")[1].split("+") for path in head.folder().glob("engine-*.sock"))


def last_words(path: Path, lines: int = 30) -> str:
    """The last lines of the log of the engine at `path`."""
    log = path.with_suffix(".log")
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
