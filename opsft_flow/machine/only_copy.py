"""One copy of a node at a time.

When Snakemake's head is killed, a node of it can live on: as a job of a cluster, or as a process whose parent is gone. The next head
starts a second copy of it, which waits here for the first, on whatever machine that is.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from opsft_flow.machine.file_lock import read_holder, this_process, try_lock, unlock, write_holder

LOOK_S = (0.05, 2.0)
"""How long a copy that waits sleeps between two looks, at first and at most."""

REMIND_S = 600.0
"""How often it says in its log that it waits."""


def lock_file(output: str | os.PathLike) -> Path:
    """The lock of the node whose first output is `output`."""
    path = Path(output)
    return path.with_name(f".{path.name}.lock")


@contextlib.contextmanager
def only_copy(output: str, is_made: Callable[[], bool]) -> Iterator[None]:
    """Be the only process that makes `output`; wait where another is at it, and say for whom.

    Of the processes that torchrun starts together, the first does so, and the others wait for it; they go on where the result
    has been made too, as `is_made` says.
    """
    path = lock_file(output)
    if int(os.environ.get("RANK", "0")) > 0:
        wait_for_first(path, is_made)
        yield
        return
    lock = wait_for_lock(path)
    try:
        write_holder(lock)
        yield
    finally:
        unlock(lock)


def wait_for_lock(path: Path) -> TextIO:
    """The lock at `path`, once no other process holds it."""
    started, reminded, pause = time.monotonic(), -REMIND_S, LOOK_S[0]
    while (lock := try_lock(path)) is None:
        waited = time.monotonic() - started
        if waited >= reminded + REMIND_S:
            holder = read_holder(path)
            who = holder.describe() if holder else "a process that has not said who it is"
            print(f"another copy of this node is running; this one waits for it: {who}", flush=True)
            reminded = waited
        time.sleep(pause)
        pause = min(2 * pause, LOOK_S[1])
    return lock


def wait_for_first(path: Path, is_made: Callable[[], bool]) -> None:
    """Wait until the first process of the same training holds the lock, or there is nothing left to train."""
    training = this_process().training
    while not is_made():
        holder = read_holder(path)
        if holder and holder.training == training:
            return
        time.sleep(LOOK_S[0])
