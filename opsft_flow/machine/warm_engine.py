"""Sampling by engines that outlive the node: each in a process that keeps it loaded, one or several on a GPU.

A vLLM engine takes longer to start than an iteration takes to sample. So the first node that needs one starts it
(`opsft_flow.machine.engine_server`); later ones find it, have their policy's weights put into it, and sample. Whoever gets a GPU puts to sleep
what waits there. No result depends on whether an engine was found, started, or killed in the middle: what was asked of a
lost engine is asked again of a new one.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from opsft.engines import Completion, EngineSettings, Progress, Request, Sampling
from opsft_flow.files import read_json
from opsft_flow.integrity import digest_of
from opsft_flow.machine import messages
from opsft_flow.machine.gpus import Gpu, Loan
from opsft_flow.machine.runtime import Head, connect, end_process, runtime_folder

REFUSALS = {"ValueError": ValueError, "FloatingPointError": FloatingPointError}


EXACT, ROUNDED = 1e-3, 0.2
"""How far, in nats, engine and trainer may be apart in one log-probability: both in float32, or one of them in less."""


class EngineLost(RuntimeError):
    """An engine's process has ended, or something in it has broken, before it had answered."""


@dataclass(frozen=True)
class Policy:
    """What is sampled from: the checkpoint's folder, the base model it comes from, a name for its weights, and a probe of them.

    The probe is a log-probability that the trainer found (None for a base model); `tolerance` is in nats: how far the engine
    may be from it.
    """

    folder: str
    base: str
    weights: str
    probe: dict | None
    tolerance: float

    @classmethod
    def of_manifest(cls, manifest_path: str, folder: Path, engine_in_float32: bool) -> "Policy":
        manifest = read_json(manifest_path)
        weights = {name: digest_of(entry) for name, entry in manifest["files"].items() if name.endswith(".safetensors")}
        probe = manifest["probe"]
        exact = engine_in_float32 and probe is not None and probe["dtype"] == "float32"
        return cls(
            folder=str(folder),
            base=f"{manifest['source']}@{manifest['revision']}",
            weights=json.dumps(weights, sort_keys=True),
            probe=probe,
            tolerance=EXACT if exact else ROUNDED,
        )


class WarmEngine:
    """Samples from engines of one kind that share a loan of GPUs.

    `settings` are those of each engine, and `threads` the CPU threads of each; `idle_s` is how long one waits for more to do, and with `head` it ends. After `generate`, `phases` holds what starting, loading
    weights and sampling have taken, in seconds, each by the slowest engine.
    """

    def __init__(
        self,
        name: str,
        settings: EngineSettings,
        policy: Policy,
        loan: Loan,
        threads: int,
        idle_s: float,
        head: Head,
    ) -> None:
        self.name = name
        self.settings = settings
        self.policy = policy
        self.loan = loan
        self.threads = threads
        self.idle_s = idle_s
        self.head = head
        self.phases: dict[str, float] = {}

    def generate(
        self, requests: Sequence[Request], sampling: Sampling, progress: Progress, engines: int = 1
    ) -> list[list[Completion]]:
        """See `opsft.engines.Engine`; the work is shared out among `engines`. Raises EngineLost where one was lost twice."""
        kind = [self.name, self.policy.base, str(self.threads)]  # on a CPU, results depend on the number of threads
        sockets = socket_paths(self.head, self.loan, kind, self.settings, engines)
        put_to_sleep(self.loan.gpus, besides=sockets)
        parts = [part for part in deal(requests, engines) if part]
        together = Together(progress, sum(request.samples for request in requests))
        completions: list[list[Completion]] = [[] for _ in requests]
        with ThreadPoolExecutor(len(parts)) as pool, Connections() as connections:
            asked = [
                pool.submit(self._ask, path, [requests[i] for i in part], sampling, together.part(), connections)
                for path, part in zip(sockets, parts, strict=False)
            ]
            for part, answer in zip(parts, asked, strict=True):
                for i, several in zip(part, answer.result(), strict=True):
                    completions[i] = several
        return completions

    def _ask(
        self, path: Path, requests: list[Request], sampling: Sampling, progress: Progress, connections: "Connections"
    ) -> list[list[Completion]]:
        """The completions of `requests` from the engine at `path`, started where it is not running."""
        order = {
            "do": "sample",
            "engine": self.name,
            "settings": dataclasses.asdict(self.settings),
            "threads": self.threads,
            "model": self.policy.folder,
            "weights": self.policy.weights,
            "probe": self.policy.probe,
            "tolerance": self.policy.tolerance,
            "requests": [(request.prompt_ids, request.seed, request.samples) for request in requests],
            "sampling": dataclasses.asdict(sampling),
        }
        for last in (False, True):
            server, process = reach_engine(path, self.head, self.idle_s)
            try:
                return self._answer(connections.add(server), order, progress)
            except EngineLost as error:
                if connections.closed:
                    raise
                end_process(process)
                if last:
                    raise EngineLost(f"{error}\n{tail(path.with_suffix('.log'))}") from None
                print(f"an engine was lost, another is started: {str(error).splitlines()[-1]}", flush=True)
        raise AssertionError("the last attempt returns or raises")

    def _answer(self, server: socket.socket, order: dict, progress: Progress) -> list[list[Completion]]:
        completions = []
        with contextlib.suppress(BrokenPipeError):
            messages.send(server, order, files=tuple(lock.fileno() for lock in self.loan.locks))
        while True:
            received = messages.receive(server)
            event = received[0] if received else {"event": "broken", "message": "its process has ended"}
            if event["event"] == "progress":
                progress(*event["counts"])
            elif event["event"] == "phase":
                name = event["name"]
                self.phases[name] = max(self.phases.get(name, 0.0), event["seconds"])
            elif event["event"] == "completions":
                completions.append([Completion(tuple(ids), reason, logp) for ids, reason, logp in event["rows"]])
            elif event["event"] == "done":
                return completions
            elif event["event"] == "refused":
                raise REFUSALS[event["kind"]](event["message"])
            else:
                raise EngineLost(event["message"])


def deal(requests: Sequence[Request], engines: int) -> list[list[int]]:
    """Indices of `requests` for each engine, dealt one by one from the longest prompt to the shortest."""
    longest_first = sorted(range(len(requests)), key=lambda i: -len(requests[i].prompt_ids))
    return [longest_first[k::engines] for k in range(engines)]


class Together:
    """Adds up the progress of several engines."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress = progress
        self.total = total
        self.counts: list[tuple[int, int]] = []
        self.lock = threading.Lock()

    def part(self) -> Progress:
        """The progress function of one more engine."""
        place = len(self.counts)
        self.counts.append((0, 0))

        def report(done: int, total: int, tokens: int) -> None:
            with self.lock:
                self.counts[place] = (done, tokens)
                self.progress(sum(done for done, _ in self.counts), self.total, sum(t for _, t in self.counts))

        return report


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


def socket_paths(head: Head, loan: Loan, kind: list[str], settings: EngineSettings, engines: int) -> list[Path]:
    """The sockets of `engines` engines of this kind (name, base model, threads), on these GPUs, for this workflow."""
    whole = json.dumps([sys.executable, *kind, dataclasses.asdict(settings)], sort_keys=True)
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
    raise EngineLost(f"the process of an engine does not start\n{tail(path.with_suffix('.log'))}")


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


def tail(log: Path, lines: int = 30) -> str:
    """The last lines of an engine's log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
