"""Whether what is made now will be newer than what it is made from: Snakemake looks at that once the work is done."""

import datetime
import os
import tempfile
from collections.abc import Iterable

SLACK_S = 2.0
"""Seconds by which the clocks of a file server and of a machine may differ."""


def check_clock(inputs: Iterable[str], folder: str) -> None:
    """Raise ValueError where a file is from the future, as the clock of the file system of `folder` tells it."""
    os.makedirs(folder, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".clock.") as file:
        now = os.stat(file.name).st_mtime
    written, newest = max(
        ((os.stat(path).st_mtime, path) for path in inputs if os.path.exists(path)), default=(now, "")
    )
    if written > now + SLACK_S:
        raise ValueError(
            f"{newest} was written at {told(written)}, and the clock now says {told(now)}: what is made from it would be older than it, "
            "which Snakemake refuses once the work is done. Set the clock right; or, where it is right, run `touch` on that file"
        )


def told(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
