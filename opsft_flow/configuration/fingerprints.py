"""A hash of the local files that a sweep starts from, so that other data or weights are noticed whatever their times say.

It stands in the settings of the node that reads them. Whole files are hashed; the hashes of large ones are remembered in the working directory, so
that a dry run need not read gigabytes.
"""

import contextlib
import functools
import os
import pathlib
import time

from opsft_flow.configuration.sources import files_of
from opsft_flow.files import write_json
from opsft_flow.integrity import blake3_of, read_sealed, sealed, text_hash

MEMORY = pathlib.Path(".snakemake", "fingerprints.json")
"""Where hashes are remembered; where it cannot be written, large files are hashed anew in each call."""

LARGE = 8 << 20
"""Bytes from which on a hash is remembered; less is hashed in milliseconds."""

FRESH_NS = 2 * 10**9
"""A file that has changed so lately may change again within one tick of the file system's clock, so its hash is not remembered."""


def fingerprint(path: pathlib.Path) -> str:
    """The hash of a file, of a checkpoint or of a saved data set, by the names and contents of its files."""
    files = [path] if path.is_file() else files_of(path) + sorted(path.glob("*.arrow"))
    return text_hash(repr([(file.name, hash_of(file)) for file in files]))[:16]


def hash_of(file: pathlib.Path) -> str:
    found = os.stat(file)
    # The time of the last change of any kind cannot be set: with it, a file that was changed and given its old time is another one.
    state = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    if time.time_ns() - found.st_ctime_ns < FRESH_NS:
        return blake3_of(file)
    return hash_in_state(os.path.abspath(file), state)


@functools.cache
def hash_in_state(file: str, state: tuple[int, ...]) -> str:
    """The hash of a file whose size, times and inode are `state`."""
    if state[0] < LARGE:
        return blake3_of(file)
    known = (read_sealed(MEMORY) or {}).get("files", {})
    if known.get(file, {}).get("state") == list(state):
        return known[file]["blake3"]
    found = blake3_of(file)
    with contextlib.suppress(OSError):
        write_json(MEMORY, sealed({"files": {**known, file: {"state": state, "blake3": found}}}))
    return found
