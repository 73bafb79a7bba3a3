"""Where lines are shown: a terminal, whose last line is written anew, or a file, which gets a line of progress a minute."""

import os
import threading
import time
from collections.abc import Callable
from typing import TextIO

from opsft_flow.machine.printable import printable

TERMINAL_S, FILE_S = 1.0, 60.0
"""Seconds between two lines of progress."""

CLEAR = "\r\x1b[K"
"""What takes the last line of a terminal away."""


class Paper:
    """Writes lines to `stream`, and in between what `progress` gives, from `start` to `close`. May be called from any thread."""

    def __init__(self, stream: TextIO, progress: Callable[[], str]) -> None:
        self.stream, self.progress = stream, progress
        self.is_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.lock, self.closed, self.status = threading.RLock(), threading.Event(), ""
        self.thread = threading.Thread(target=self.watch, name="screen", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def write(self, text: str) -> None:
        """Show the text, on lines of its own."""
        with self.lock:
            self.show_status("")
            self.put(f"{printable(text)}\n")

    def watch(self) -> None:
        while not self.closed.wait(TERMINAL_S if self.is_terminal else FILE_S):
            with self.lock:
                self.show_progress()

    def show_progress(self) -> None:
        line = printable(self.progress()).replace("\n", " ")
        if self.is_terminal:
            self.show_status(line[: self.width() - 1])
        elif line:
            self.put(f"{time.strftime('%H:%M:%S')} {line}\n")

    def show_status(self, line: str) -> None:
        """Put a line in the place of the terminal's last one, if that is one of progress."""
        if line or self.status:
            self.put(f"{CLEAR if self.status else ''}{line}")
            self.status = line

    def width(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except OSError:
            return 80

    def put(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):
            # Who reads has gone, or the disk behind it is full: the sweep goes on.
            pass

    def close(self) -> None:
        """Leave no line of progress behind."""
        self.closed.set()
        with self.lock:
            self.show_status("")
