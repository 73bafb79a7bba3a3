"""What is shown of an error that ends a script: one message where the user can mend it, else the traceback."""

import contextlib
import sys
import traceback
from collections.abc import Iterator
from typing import NoReturn

from opsft_flow.files import DiskFull, is_full_disk
from opsft_flow.machine.printable import printable
from opsft_flow.machine.runtime import find_head


@contextlib.contextmanager
def one_message(folder: str) -> Iterator[None]:
    """An error inside ends the process as `end_with` says. `folder` is where the script writes."""
    try:
        yield
    except Exception as error:
        end_with(error, folder)


def end_with(error: Exception, folder: str) -> NoReturn:
    """Show an error of a script that writes to `folder`, and end the process with status 1.

    A ValueError, an OSError or a full disk is something the user can mend: it is shown as one message, without a traceback. Any
    other exception is a fault of ours and shows its traceback.
    """
    say(message_of(error, folder))
    sys.exit(1)


def message_of(error: Exception, folder: str) -> str:
    """What is shown of an error of a script that writes to `folder`."""
    if is_full_disk(error) and not isinstance(error, DiskFull):
        # A line of the log that cannot be written names no file.
        return f"error: {getattr(error, 'filename', None) or folder}: the disk is full. Make room and run again"
    if isinstance(error, ValueError | OSError):
        return f"error: {error}"
    return "".join(traceback.format_exception(error)).rstrip()


def say(message: str) -> None:
    """Print to the log or, where the disk has no room for it, to where the workflow on this machine prints its own messages."""
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:
        head = find_head()
        if head is not None:
            with contextlib.suppress(OSError), open(f"/proc/{head.pid}/fd/2", "a") as terminal:
                print(printable(message), file=terminal)
