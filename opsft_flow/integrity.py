"""Whether a file still has the bytes that were written: every reader of a result asks here before it uses one.

The sidecar of a node (`X.run.json`) holds size and BLAKE3 of each of its outputs, and a seal over itself; the manifest of a policy holds those of
its weights. A result of before this was written down has neither, and is read as it is.
"""

import contextlib
import hashlib
import json
import pathlib
import stat
from collections.abc import Iterator
from os import PathLike

import blake3

SIDECAR = ".run.json"

SERIAL = 1 << 20
"""Bytes up to which one thread hashes faster than several."""


class Damaged(ValueError):
    """A result is not what was written; the message says which, what is wrong, and how to make it again."""


def blake3_of(path: str | PathLike) -> str:
    """BLAKE3 of a file in hexadecimal; a large one is mapped into memory and hashed by all threads that the process may use."""
    path = pathlib.Path(path)
    if path.stat().st_size <= SERIAL:
        return blake3.blake3(path.read_bytes()).hexdigest()
    return blake3.blake3(max_threads=blake3.blake3.AUTO).update_mmap(path).hexdigest()


def text_hash(text: str) -> str:
    """BLAKE3 of a text in hexadecimal."""
    return blake3.blake3(text.encode()).hexdigest()


def sha256_of(path: str | PathLike) -> str:
    """SHA-256 of a file, by which older manifests describe theirs."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def describe_file(path: pathlib.Path) -> dict:
    """What is written down of a file: its size in bytes and its BLAKE3."""
    return {"bytes": path.stat().st_size, "blake3": blake3_of(path)}


def digest_of(entry: dict) -> str:
    """The hash in what was written down of a file."""
    return entry["blake3"] if "blake3" in entry else entry["sha256"]


def check_file(path: pathlib.Path, entry: dict, record: str | PathLike, remedy: str) -> None:
    """Raise Damaged where a file is not as `entry`, which stands in the file `record`, describes it; `remedy` says how to go on."""
    found = size_of_file(path, remedy)
    if found != entry["bytes"]:
        size = "no such file" if found is None else found
        raise Damaged(f"{path}: {entry['bytes']} bytes were written down in {record}, found {size}. {remedy}")
    with readable(path, remedy):
        same = (blake3_of if "blake3" in entry else sha256_of)(path) == digest_of(entry)
    if not same:
        raise Damaged(f"{path}: its {found} bytes are not those that were written down in {record}. {remedy}")


def size_of_file(path: pathlib.Path, remedy: str) -> int | None:
    """Bytes of a file, None where there is none. Raises Damaged where a folder, a device or a circle of links is in its place."""
    try:
        with readable(path, remedy):
            found = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or a pipe"
        raise Damaged(f"{path}: found {kind} where a file was written. {remedy}")
    return found.st_size


@contextlib.contextmanager
def readable(path: pathlib.Path, remedy: str) -> Iterator[None]:
    """Raise Damaged where a file that is there cannot be read inside: its permissions, its links or its disk forbid it."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Damaged(f"{path}: cannot be read: {error.strerror}. {remedy}") from None


def check_result(path: str | PathLike) -> None:
    """Raise Damaged where the sidecar beside a result describes other bytes; one that is not there, or that no sidecar describes, is not checked."""
    path = pathlib.Path(path)
    if size_of_file(path, remedy_of(path)) is None:
        return None
    # Most results have a sidecar by their name; that of a node with several outputs has the name of one of them.
    for sidecar in dict.fromkeys([path.with_suffix(SIDECAR), *sorted(path.parent.glob(f"*{SIDECAR}"))]):
        entry = ((read_sealed(sidecar) or {}).get("outputs") or {}).get(path.name)
        if entry:
            return check_file(path, entry, sidecar, remedy_of(path))
    return None


def remedy_of(path: str | PathLike) -> str:
    """How to have a damaged result again."""
    return f"To make it again, delete {path} and run again"


def parse_json(path: str | PathLike) -> object:
    """The value in a JSON file. Raises Damaged where it holds none."""
    with readable(path, remedy_of(path)):
        content = pathlib.Path(path).read_bytes()
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path}: no JSON: {error}. {remedy_of(path)}") from None


def sealed(content: dict) -> dict:
    """Content for a JSON file that nothing else describes, with a hash of all of it."""
    return {**content, "seal": text_hash(json.dumps(content, sort_keys=True))}


def read_sealed(path: str | PathLike) -> dict | None:
    """What was sealed in a JSON file; None where there is none, or where it is damaged. An older one, without a seal, is taken as it is.

    A damaged sidecar is as good as a missing one: it tells about a result, and is no reason to make that again.
    """
    try:
        content = parse_json(path)
    except (OSError, Damaged):
        return None
    if not isinstance(content, dict):
        return None
    seal = content.pop("seal", None)
    return content if seal is None or sealed(content)["seal"] == seal else None
