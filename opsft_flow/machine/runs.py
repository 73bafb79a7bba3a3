"""Which calls of Snakemake make results in a folder now.

Snakemake's own locks do not say it: they lie in the working directory, of which there may be several for the same results, and the end of
any call removes those of all. Here each call holds a lock file (`opsft_flow.machine.file_lock`) beside the results as long as it lives.
"""

import atexit
import contextlib
import os
import platform
from pathlib import Path

from opsft_flow.machine.file_lock import read_holder, try_lock, unlock, write_holder
from opsft_flow.machine.runtime import process_start

FOLDER = ".runs"


def announce_run(results: str) -> None:
    """Let `living_runs` know of this process until it ends. Where that cannot be written down, the run goes on unannounced."""
    path = Path(results) / FOLDER / f"{platform.node()}-{os.getpid()}"
    with contextlib.suppress(OSError):
        remove_killed(path.parent)
        lock = try_lock(path)
        if lock:
            atexit.register(unlock, lock)
            write_holder(lock)


def living_runs(results: str) -> list[str]:
    """The calls that make results in this folder, each in words. What killed ones have left is removed."""
    found = []
    for path in sorted((Path(results) / FOLDER).glob("*")):
        lock = try_lock(path)
        if lock:
            unlock(lock)
        else:
            holder = read_holder(path)
            found.append(holder.describe() if holder else path.name)
    return found


def remove_killed(folder: Path) -> None:
    """Remove what runs on this machine that were killed have left. Only they: to try the lock of one that starts now would take it."""
    for path in folder.glob(f"{platform.node()}-*"):
        process = path.name.removeprefix(f"{platform.node()}-")
        if process.isdigit() and process_start(int(process)) is None:
            path.unlink(missing_ok=True)
