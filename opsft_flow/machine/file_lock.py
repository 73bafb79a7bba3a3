"""A lock that the kernel frees when the process that holds it ends, however it ends, and that says who holds it.

It is an flock on a file that its holder removes. That works between the processes of one machine, and between machines where
their file system passes locks on (docs/robustness.md names some).
"""

import contextlib
import datetime
import errno
import fcntl
import json
import os
import platform
import time
import weakref
from pathlib import Path
from typing import NamedTuple, TextIO

UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of a file system that has no locks."""

_held: weakref.WeakSet[TextIO] = weakref.WeakSet()


class Holder(NamedTuple):
    """The process that holds a lock: its machine and number, its SLURM job and torchrun's run, if any, and since when (seconds
    since the epoch)."""

    host: str
    process: int
    job: str | None
    training: str | None
    since: float

    def describe(self) -> str:
        """Who it is, and how to end it."""
        since = datetime.datetime.fromtimestamp(self.since, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        job, end = f", SLURM job {self.job}" if self.job else "", f"`kill {self.process}` there"
        if self.job:
            end = f"`scancel {self.job}`"
        return f"process {self.process} on {self.host}{job}, since {since} ({end} ends it)"


def this_process() -> Holder:
    return Holder(
        platform.node(), os.getpid(), os.environ.get("SLURM_JOB_ID"), os.environ.get("TORCHELASTIC_RUN_ID"), time.time()
    )


def try_lock(path: Path) -> TextIO | None:
    """The lock file at `path`, held until it is closed; None where another process holds it, or has just removed it.

    A process that is forked later does not hold it too. Where the file system has no locks everybody gets it, with a warning.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = open(path, "r+", opener=_open_or_create)  # noqa: SIM115, the lock lives as long as the handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = os.path.samestat(os.fstat(handle.fileno()), os.stat(path))
    except (BlockingIOError, FileNotFoundError):
        held = False
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        print(
            f"warning: {path} cannot be locked ({error.strerror}): a second copy of this node goes unnoticed",
            flush=True,
        )
        held = True
    if not held:
        handle.close()
        return None
    _held.add(handle)
    return handle


def _open_or_create(path: str, flags: int) -> int:
    """For `open`: as mode r+ does, and make the file where it is missing."""
    return os.open(path, flags | os.O_CREAT, 0o666)


def _close_in_forked_process() -> None:
    for handle in _held:
        handle.close()


os.register_at_fork(after_in_child=_close_in_forked_process)


def write_holder(handle: TextIO) -> None:
    """Write down in a lock file that this process holds it."""
    handle.write(json.dumps(this_process()._asdict()))
    # Not emptied before: ext4 writes a file that was emptied to disk when it is closed, which takes milliseconds.
    handle.truncate()
    handle.flush()


def read_holder(path: Path) -> Holder | None:
    """Who holds a lock, or has held it last; None where that is not written down (yet)."""
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        return Holder(**json.loads(path.read_text()))
    return None


def unlock(handle: TextIO) -> None:
    """Remove a lock file that this process holds, and free it."""
    Path(handle.name).unlink(missing_ok=True)
    handle.close()
