"""Locks of Snakemake whose workflow was killed: recognised, so that nobody has to unlock the folder by hand.

Snakemake locks the files of its jobs by files in `.snakemake/locks`, which say nothing of who holds them and outlive a
kill. Here a workflow adds a record of its locks that it holds by flock as long as it lives. A lock is removed only where its
record names this machine and nobody holds it any more; a lock without such a record is left to `snakemake --unlock`.
"""

import contextlib
import fcntl
import json
import os
import platform
from pathlib import Path
from typing import TextIO

FOLDER = Path(".snakemake") / "locks"
"""Where Snakemake keeps its locks, in the folder in which it runs."""


HELD: list[TextIO] = []
"""The records of this process, locked as long as it lives."""


def record_locks(names: list[str]) -> None:
    """Record the lock files that this process has made, by name. Where the file system cannot lock, there is no record."""
    if not names:
        return
    record = open(FOLDER / f"{platform.node()}-{os.getpid()}.holder", "w")  # noqa: SIM115, it lives as long as the process
    with contextlib.suppress(OSError):
        fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
        json.dump({"host": platform.node(), "locks": names}, record)
        record.flush()
        HELD.append(record)


def remove_stale_locks() -> None:
    """Remove the locks of workflows on this machine that have been killed."""
    for path in FOLDER.glob("*.holder"):
        # What another process removes meanwhile, or cannot be locked, is none of ours.
        with contextlib.suppress(OSError, ValueError), open(path, "r+") as record:
            fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            holder = json.load(record)
            if holder["host"] == platform.node() and os.fstat(record.fileno()).st_nlink:
                # The record goes first: locks that have lost theirs are never taken for somebody else's.
                path.unlink()
                for name in holder["locks"]:
                    (FOLDER / name).unlink(missing_ok=True)
