"""What the logs of jobs say: how far one that runs has come, and why one that failed did."""

import os
import re
from collections.abc import Sequence

PROGRESS = re.compile(r"[\w ]+ [\d,]+/[\d,]+ \| .*")
"""A line of `opsft_flow.progress`."""

TAIL_BYTES = 16 << 10
MOST_LINES = 40
"""Of a failed job's own message."""


def progress_of(logs: Sequence[str]) -> str:
    """The last line of progress in the logs of a job; nothing where there is none."""
    lines = [line for log in logs for line in tail(log) if PROGRESS.fullmatch(line)]
    return lines[-1] if lines else ""


def message_of(logs: Sequence[str]) -> str:
    """A failed job's own message: from its last line that begins with `error:`, or its last traceback; else its last lines."""
    lines = [line for log in logs for line in tail(log)]
    starts = [i for i, line in enumerate(lines) if line.startswith(("error:", "Traceback (most recent call last)"))]
    own = lines[starts[-1] :] if starts else lines
    return "\n".join(own[-MOST_LINES:])


def tail(log: str) -> list[str]:
    """The last lines of a log, without empty ones; none where it cannot be read."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]
