"""What is shown of an error that ends a script: one message where the user can mend it, else the traceback."""

import contextlib
import sys
import traceback
from collections.abc import Iterator
from typing import NoReturn

from opsft_flow.files import DiskFull, want_of_room
from opsft_flow.machine.printable import printable
from opsft_flow.machine.runtime import find_head

# What torch says of the memory of the processor and of a GPU, and Python of a thread that cannot be started.
NO_MEMORY = ("can't allocate memory", "CUDA out of memory", "can't start new thread")
MORE_MEMORY = (
    "Give the node more (`ulimit -v`, `ulimit -u`, `resources`), or let it take less: README.md, `to need less memory`"
)


@contextlib.contextmanager
def one_message(folder: str) -> Iterator[None]:
    """An error inside ends the process as `end_with` says. `folder` is where the script writes."""
    try:
        yield
    except Exception as error:
        end_with(error, folder)


def end_with(error: Exception, folder: str) -> NoReturn:
    """Show an error of a script that writes to `folder`, and end the process with status 1.

    The user can mend a ValueError, an OSError, and want of room or memory. Each is shown as one message, without a traceback.
    Any other exception is a fault of ours and shows its traceback.
    """
    say(message_of(error, folder))
    sys.exit(1)


def message_of(error: Exception, folder: str) -> str:
    """What is shown of an error of a script that writes to `folder`."""
    found = want_of_room(error)
    if found and not isinstance(error, DiskFull):
        # A line of the log that cannot be written names no file.
        return f"error: {getattr(error, 'filename', None) or folder}: {'. '.join(found)}"
    if isinstance(error, MemoryError) or any(text in str(error) for text in NO_MEMORY):
        first = str(error).partition("\n")[0]
        return f"error: {folder}: no memory was left ({type(error).__name__}: {first}). {MORE_MEMORY}"
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
