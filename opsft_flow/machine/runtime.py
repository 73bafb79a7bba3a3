"""Where the processes of one user on one machine meet: a private folder, and the running workflow as its processes know it.

Nothing here is needed for a result. What lives in the folder is gone when the workflow is.
"""

import contextlib
import os
import platform
import pwd
import shutil
import signal
import socket
import stat
import time
from pathlib import Path
from typing import NamedTuple

HEAD = "OPSFT_HEAD"
FOLDER = "OPSFT_RUNTIME_DIR"
LONGEST_FOLDER = 70
"""In bytes: a socket's path has 107 at most."""

PR_SET_PDEATHSIG = 1


class Head(NamedTuple):
    """The process that runs the workflow on this machine; `started` (clock ticks since boot) tells it from a later namesake."""

    pid: int
    started: int

    def is_alive(self) -> bool:
        return process_start(self.pid) == self.started

    def folder(self) -> Path:
        """The folder of what serves this workflow alone. Raises ValueError where its path is too long for sockets."""
        folder = runtime_folder() / f"head-{self.pid}-{self.started}"
        if len(os.fsencode(folder)) > LONGEST_FOLDER:
            raise ValueError(
                f"{folder}: {LONGEST_FOLDER} bytes are allowed; set {FOLDER} to a folder with a shorter path"
            )
        return private_folder(folder)


def announce_head() -> None:
    """Make this process the head of all nodes that it starts, directly or not; nothing on a system that lacks the means."""
    started = process_start(os.getpid())
    if started is not None and hasattr(os, "pidfd_open"):
        os.environ[HEAD] = f"{platform.node()}:{os.getpid()}:{started}"
    else:
        os.environ.pop(HEAD, None)


def this_process() -> Head:
    """This process as the head of what serves it alone."""
    return Head(os.getpid(), process_start(os.getpid()))


def find_head() -> Head | None:
    """The workflow that started this process; None where there is none, or none on this machine, or no longer."""
    if HEAD not in os.environ:
        return None
    host, pid, started = os.environ[HEAD].rsplit(":", 2)
    head = Head(int(pid), int(started))
    return head if host == platform.node() and head.is_alive() else None


def process_start(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot; None where it has ended, or on a system without /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    state, started = fields[0], fields[19]
    return None if state in "ZX" else int(started)


def kill_session(pid: int) -> None:
    """Kill a process that leads a session, and all that it started there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent ends."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def end_process(pid: int) -> None:
    """Kill a process that leads a session, with all that it started there, and wait until it is gone."""
    kill_session(pid)
    while process_start(pid) is not None:
        time.sleep(0.01)


def remove_leftovers_of_heads() -> None:
    """Remove the folders of workflows that have ended, with all that served them."""
    for folder in runtime_folder().glob("head-*"):
        if not Head(*map(int, folder.name.split("-")[1:])).is_alive():
            shutil.rmtree(folder, ignore_errors=True)


def runtime_folder() -> Path:
    """The user's folder for sockets and locks, `$OPSFT_RUNTIME_DIR` or one in /tmp."""
    return private_folder(Path(os.environ.get(FOLDER) or f"/tmp/opsft-{os.getuid()}"))


def private_folder(folder: Path) -> Path:
    """Make `folder` where it is missing. Raises PermissionError where somebody else could reach what is in it."""
    remedy = f"Delete it, or set {FOLDER} to a folder of your own with a short path"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PermissionError(f"{folder} cannot be made: {error.strerror}. {remedy}") from None
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no folder"
        raise PermissionError(
            f"{folder} must be a folder of user {user_name(os.getuid())} with mode 700; found {kind} of user "
            f"{user_name(found.st_uid)} with mode {stat.S_IMODE(found.st_mode):o}. {remedy}"
        )
    return folder


def user_name(number: int) -> str:
    """The name of a user, or the number of one without a name here."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def listen(path: Path) -> socket.socket:
    """A Unix socket at `path`, in place of what was there."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(128)
    return listener


def connect(path: Path) -> socket.socket | None:
    """A connection to the server at `path`; None where nobody listens."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection
