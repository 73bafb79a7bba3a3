"""Sampling by engines that outlive the node: each in a process that keeps it loaded, one or several on a GPU.

A vLLM engine takes longer to start than an iteration takes to sample. So the first node that needs one starts it
(`opsft_flow.machine.engine_server`); later ones find it, have their policy's weights put into it, and sample. Whoever gets a GPU puts to sleep
what waits there. No result depends on whether an engine was found, started, or killed in the middle: what was asked of a
lost engine is asked again of a new one.
"""

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from opsft.engines import Completion, EngineSettings, Progress, Request, Sampling
from opsft_flow.machine import messages
from opsft_flow.machine.engine_sockets import (
    Connections,
    EngineLost,
    last_words,
    put_to_sleep,
    reach_engine,
    socket_paths,
)
from opsft_flow.machine.gpus import Loan
from opsft_flow.machine.runtime import Head, end_process
from opsft_flow.sampling.orders import Policy, completions_of, order_of

REFUSALS = {"ValueError": ValueError, "FloatingPointError": FloatingPointError}


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
        sockets = socket_paths(self.head, self.loan, self.kind(), engines)
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

    def kind(self) -> list:
        """What engines must have in common to stand in for each other: the same results. On a CPU these depend on the number of threads."""
        return [self.name, self.policy.base, str(self.threads), dataclasses.asdict(self.settings)]

    def _ask(
        self, path: Path, requests: list[Request], sampling: Sampling, progress: Progress, connections: "Connections"
    ) -> list[list[Completion]]:
        """The completions of `requests` from the engine at `path`, started where it is not running."""
        order = order_of(self.name, self.settings, self.threads, self.policy, requests, sampling)
        for last in (False, True):
            server, process = reach_engine(path, self.head, self.idle_s)
            try:
                return self._answer(connections.add(server), order, progress)
            except EngineLost as error:
                if connections.closed:
                    raise
                end_process(process)
                if last:
                    raise EngineLost(f"{error}\n{last_words(path)}") from None
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
                completions.append(completions_of(event["rows"]))
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
