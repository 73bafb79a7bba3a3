"""Write files so that a reader sees the old one or the whole new one, never a part."""

import contextlib
import errno
import json
import os
import pathlib
import shutil
from collections.abc import Iterator

from opsft_flow.integrity import check_result, parse_json

FULL = ("No space left on device", "Disk quota exceeded")
TOO_LARGE = "File too large"


class DiskFull(OSError):
    """A file cannot be written, for want of room; the message says which, and how much room there is."""


def want_of_room(error: BaseException) -> tuple[str, str] | None:
    """What there is no room for a file in, and how to go on, where an error says so; None for other errors.

    Arrow and safetensors say it in their text alone.
    """
    number, text = getattr(error, "errno", None), str(error)
    if number in (errno.ENOSPC, errno.EDQUOT) or any(full in text for full in FULL):
        return "the disk is full", "Make room and run again"
    if number == errno.EFBIG or TOO_LARGE in text:
        return "the limit on the size of files is reached", "Raise it (`ulimit -f`) and run again"
    return None


@contextlib.contextmanager
def atomic(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yield a temporary path beside `path`; on success sync it to disk and rename it into place.

    The temporary path may be made a file or a folder. On an error or an interrupt it is removed and `path` stays as it was. What killed
    writers of `path` have left is removed first: a result has one writer at a time.
    A folder cannot be renamed over another: for a moment, between two renames, there is none.
    Raises DiskFull where there is no room for it, whatever the library that wrote it raised.
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
    except Exception as error:
        if found := want_of_room(error):
            what, remedy = found
            raise DiskFull(
                f"{final}: {what} after {size_of(temporary):,} bytes of it, which are removed; "
                f"{shutil.disk_usage(final.parent).free:,} bytes are free. {remedy}"
            ) from error
        raise
    finally:
        if previous.exists() and not final.exists():
            os.replace(previous, final)
        remove(temporary)
        remove(previous)


def check_room(folder: pathlib.Path, needed: int, what: str) -> None:
    """Raise DiskFull where fewer than `needed` bytes are free on the disk of `folder`; `what` will need them."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(
            f"{folder}: the disk is too full: {what} needs {needed:,} bytes, {free:,} are free. Make room and run again"
        )


def is_writable(folder: str | os.PathLike) -> bool:
    """True where files can be made in a folder, or, where it is missing, in the one that it would be made in."""
    path = pathlib.Path(folder).absolute()
    while not path.exists():
        path = path.parent
    return os.access(path, os.W_OK)


def size_of(path: pathlib.Path) -> int:
    """Bytes of a file, or of all files of a folder; 0 where there is neither."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def remove(path: pathlib.Path) -> None:
    """Delete a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(path: pathlib.Path) -> None:
    """Delete what killed writers of `path` have left beside it. Only for who knows that no other writer lives."""
    for pattern in (f".{path.name}.[0-9]*.tmp", f".{path.name}.[0-9]*.old"):
        for leftover in path.parent.glob(pattern):
            remove(leftover)


def sync(path: pathlib.Path) -> None:
    """Flush a file, or a folder and all that it holds, to disk."""
    for part in [path, *path.rglob("*")]:
        if part.is_dir():
            sync_folder(part)
        else:
            with open(part, "rb+") as handle:
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
    """A result in JSON. Raises Damaged where it is not what was written."""
    check_result(path)
    return parse_json(path)
