"""A process that keeps an engine between nodes: `python -P -m opsft_flow.machine.engine_server SOCKET HEAD_PID HEAD_START IDLE_SECONDS`

`opsft_flow.sampling.warm_engine` starts it and asks it. It serves one client at a time, and holds the client's GPU locks while it works. It is a
cache and nothing else: it ends when it has been idle for long, when its workflow is gone, or when a client goes away in the
middle of its work, and whoever finds it gone starts another.
"""

import contextlib
import functools
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from opsft_flow.machine import messages
from opsft_flow.machine.runtime import Head, listen, remove_leftovers_of_heads
from opsft_flow.sampling.orders import KeptEngine

MOST_LOCKS = 64
"""Open files that a client may send: three for each GPU that it holds in a share."""


class EngineServer:
    """Serves one engine at `path`."""

    def __init__(self, path: Path, idle_s: float) -> None:
        self.path = path
        self.listener = listen(path)
        self.listener.settimeout(idle_s)
        self.kept = KeptEngine()
        self.own_files: list[int] = [self.listener.fileno()]
        # An engine may fork processes of its own. They live as long as it does, and must not hold a client's GPUs until then.
        os.register_at_fork(after_in_child=self.close_own_files)

    def close_own_files(self) -> None:
        """Close, in a forked process, what is between this server and its clients."""
        for file in self.own_files:
            with contextlib.suppress(OSError):
                os.close(file)

    def serve(self) -> None:
        """Serve clients, one after the other, until none has come for `idle_s` seconds."""
        with contextlib.suppress(TimeoutError):
            while True:
                client, _ = self.listener.accept()
                with client, contextlib.suppress(BrokenPipeError):
                    messages.send(client, {"process": os.getpid()})
                    client.settimeout(messages.PATIENCE_S)
                    received = messages.receive(client, most_files=MOST_LOCKS)
                    client.settimeout(None)
                    if received is not None:
                        self.answer(client, *received)

    def answer(self, client: socket.socket, order: dict, locks: list[int]) -> None:
        """Do what is asked, and say how it went. Until then the client's GPUs are this process's too."""
        done = threading.Event()
        self.own_files = [self.listener.fileno(), client.fileno(), *locks]
        threading.Thread(target=end_with_client, args=(client, done), daemon=True).start()
        try:
            if order["do"] == "sample":
                self.sample(client, order)
            elif self.kept.engine is not None:
                self.kept.engine.sleep()
            outcome = {"event": "done"}
        except (ValueError, FloatingPointError) as error:
            outcome = {"event": "refused", "kind": type(error).__name__, "message": str(error)}
        except Exception:
            outcome = {"event": "broken", "message": traceback.format_exc()}
        done.set()
        for lock in locks:
            os.close(lock)
        self.own_files = [self.listener.fileno()]
        with contextlib.suppress(BrokenPipeError):
            messages.send(client, outcome)
        # Closing alone does not end the connection while the other thread waits on it, which can be for a second.
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        # What a start that failed has taken is given back with the process.
        if outcome["event"] == "broken" or (order["do"] == "sample" and self.kept.engine is None):
            end()

    def sample(self, client: socket.socket, order: dict) -> None:
        """Sample from the policy that is asked for; the completions are sent request by request."""
        for rows in self.kept.fill(order, progress_to(client), functools.partial(timed, client)):
            messages.send(client, {"event": "completions", "rows": rows})


@contextlib.contextmanager
def timed(client: socket.socket, phase: str) -> Iterator[None]:
    """Tell the client how long a phase has taken, in seconds."""
    started = time.monotonic()
    yield
    messages.send(client, {"event": "phase", "name": phase, "seconds": time.monotonic() - started})


def progress_to(client: socket.socket, every_s: float = 0.5) -> Callable[[int, int, int], None]:
    """A function that tells the client how far the work is, at most once in `every_s` seconds and at the end."""
    last = 0.0

    def report(*counts: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every_s or counts[0] == counts[1]:
            last = now
            messages.send(client, {"event": "progress", "counts": counts})

    return report


def end_with_client(client: socket.socket, done: threading.Event) -> None:
    """End this process where the client goes away before its work is done: nobody wants it, and its GPU is needed."""
    while not done.is_set():
        try:
            readable, _, _ = select.select([client], [], [], 1.0)
            gone = bool(readable) and not client.recv(1, socket.MSG_PEEK)
        except ConnectionResetError:
            # It went before it had read all that it was sent.
            gone = True
        except (OSError, ValueError):
            # This process has closed the connection.
            return
        if gone and not done.is_set():
            end()


def end_with_head(head: Head) -> None:
    """End this process when the workflow has ended."""
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(head.pid)
        if head.is_alive():
            select.select([process], [], [])
    end()


def end() -> None:
    """End this process and what the engine has started; it leads a session of its own."""
    Path(sys.argv[1]).unlink(missing_ok=True)
    remove_leftovers_of_heads()
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    # vLLM forks its engine's process by default.
    os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
    path, pid, started, idle_s = sys.argv[1:]
    server = EngineServer(Path(path), float(idle_s))
    threading.Thread(target=end_with_head, args=(Head(int(pid), int(started)),), daemon=True).start()
    try:
        server.serve()
    finally:
        end()


if __name__ == "__main__":
    main()
