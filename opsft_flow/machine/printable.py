"""What comes from data, models and answers, as it may be shown: what a terminal would obey is written out instead.

An escape sequence in a problem's id could clear the screen, and a character that turns the direction of writing could hide part of a message.
"""

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import TextIO

# Control characters but for tab and newline, marks of direction, separators of lines, and halves of surrogate pairs, which cannot be printed.
OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def printable(text: str) -> str:
    """The text, with every character that a terminal would obey as Python writes it in a string, such as `\\x1b`."""
    return OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class PrintableStream:
    """A text stream that writes to another one what may be shown; a carriage return, as of progress bars, begins a new line."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(printable(text.replace("\r\n", "\n").replace("\r", "\n")))
        return len(text)

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


@contextlib.contextmanager
def printable_output() -> Iterator[None]:
    """Write to the standard streams of this process what may be shown."""
    with (
        contextlib.redirect_stdout(PrintableStream(sys.stdout)),
        contextlib.redirect_stderr(PrintableStream(sys.stderr)),
    ):
        yield


def make_output_printable() -> None:
    """The same until this process ends, uncaught exceptions included."""
    sys.stdout, sys.stderr = PrintableStream(sys.stdout), PrintableStream(sys.stderr)
