"""Write files so that a reader sees the old one or the whole new one, never a part."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterator


@contextlib.contextmanager
def atomic(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yield a temporary path beside `path`; on success sync it to disk and rename it into place.

    The temporary path may be made a file or a folder. On an error it is removed and `path` stays as it was. What killed
    writers of `path` have left is removed first: a result has one writer at a time.
    A folder cannot be renamed over another: for a moment, between two renames, there is none.
    """
    final = pathlib.Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(final)
    temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    previous = final.with_name(f".{final.name}.{os.getpid()}.old")
    try:
        yield temporary
        sync(temporary)
        if temporary.is_dir() and final.exists():
            os.replace(final, previous)
        os.replace(temporary, final)
        sync_folder(final.parent)
    finally:
        remove(temporary)
        remove(previous)


def remove(path: pathlib.Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(path: pathlib.Path) -> None:
    """Delete what killed writers of `path` have left beside it. Only for who knows that no other writer lives."""
    for pattern in (f".{path.name}.[0-9]*.tmp", f".{path.name}.[0-9]*.old"):
        for leftover in path.parent.glob(pattern):
            remove(leftover)


def sync(path: pathlib.Path) -> None:
    """Flush a file, or every file of a folder, to disk."""
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        with open(file, "rb+") as handle:
            os.fsync(handle.fileno())


def sync_folder(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str | os.PathLike, value: object) -> None:
    """Write `value` with sorted keys, so that equal values give equal bytes; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
    with atomic(path) as temporary:
        temporary.write_text(text)


def read_json(path: str | os.PathLike) -> dict:
    return json.loads(pathlib.Path(path).read_text())


def sha256_of(path: str | os.PathLike) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
