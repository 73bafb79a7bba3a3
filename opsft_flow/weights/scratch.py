"""A folder for the state of a node that is still running.

It is no declared output, since Snakemake deletes those before a run and after a failure. Its name is a hash of all that
decides the result, so that a node only ever resumes its own work, and one process at a time holds it.
"""

import contextlib
import hashlib
import os
import pathlib
import shutil
import time

from opsft_flow.files import atomic, remove_leftovers, write_json
from opsft_flow.integrity import Damaged, check_file, describe_file, read_sealed, sealed
from opsft_flow.machine.file_lock import read_holder, try_lock, write_holder

TENSORS = ("weights.safetensors", "optimizer.safetensors")


class Scratch:
    """An exclusively locked folder; implements opsft.sft.Checkpoints.

    Raises ValueError where another live process still holds it after `wait_s` seconds.
    """

    def __init__(self, folder: pathlib.Path, wait_s: float = 60.0) -> None:
        self.folder = folder
        deadline = time.monotonic() + wait_s
        while (handle := try_lock(folder / "lock")) is None:
            if time.monotonic() > deadline:
                holder = read_holder(folder / "lock")
                raise ValueError(
                    f"{folder} is held by another training: {holder.describe() if holder else 'one that has not said who it is'}"
                )
            time.sleep(1)
        self.handle = handle
        write_holder(handle)

    def load(self) -> tuple[dict, dict, dict] | None:
        state = self.folder / "state"
        # A kill between the two renames of a save leaves the state before it under another name.
        for previous in self.folder.glob(".state.*.old"):
            if not state.exists():
                previous.rename(state)
        remove_leftovers(state)
        return read_state(state)

    def save(self, progress: dict, weights: dict, optimizer: dict) -> None:
        from safetensors.torch import save_file

        with atomic(self.folder / "state") as temporary:
            temporary.mkdir()
            save_file(weights, temporary / "weights.safetensors")
            save_file(optimizer, temporary / "optimizer.safetensors")
            files = {name: describe_file(temporary / name) for name in TENSORS}
            write_json(temporary / "progress.json", sealed({"progress": progress, "files": files}))

    def remove(self) -> None:
        """Delete the folder once the node's result is in place, which fails no more: what cannot be deleted is left to `prune`."""
        aside = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.old")
        with contextlib.suppress(OSError):
            # A kill, or an error, halfway leaves no part of a state where the next process would load it.
            self.folder.rename(aside)
        # NFS keeps a file that is deleted while it is open, under another name, and with it the folder.
        self.handle.close()
        shutil.rmtree(aside, ignore_errors=True)


class SharedScratch:
    """The same folder for a process that trains beside the holder: it reads what the holder saves, and writes nothing."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def load(self) -> tuple[dict, dict, dict] | None:
        return read_state(self.folder / "state")

    def save(self, progress: dict, weights: dict, optimizer: dict) -> None:
        """The holder saves."""


def read_state(state: pathlib.Path) -> tuple[dict, dict, dict] | None:
    """The progress, weights and optimiser's state that were saved last; None where nothing was, or where that is damaged."""
    from safetensors.torch import load_file

    if not state.exists():
        return None
    record = state / "progress.json"
    try:
        saved = read_sealed(record)
        if saved is None or "files" not in saved:
            raise Damaged(f"{record}: damaged, or of an older version")
        for name in TENSORS:
            check_file(state / name, saved["files"][name], record, "")
    except Damaged as error:
        print(f"the training begins anew, for what an interrupted one has left cannot be used: {error}", flush=True)
        return None
    return saved["progress"], *(load_file(state / name) for name in TENSORS)


def is_held(folder: pathlib.Path) -> bool:
    """True where a living process works in `folder`."""
    handle = try_lock(folder / "lock")
    if handle is not None:
        handle.close()
    return handle is None


def scratch_name(*parts: str) -> str:
    """The name of a scratch folder, from everything that decides what the node will write."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
