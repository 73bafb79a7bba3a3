"""A disk of a few megabytes that can be filled and emptied: a tmpfs in a mount namespace of its own."""

import os
import subprocess
from pathlib import Path


class SmallDisk:
    """A tmpfs over `folder`, for the processes that `enter` starts; it ends with this object, or with this process.

    Raises OSError where this user may not mount one.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        script = 'mount -t tmpfs -o "size=$1m" tmpfs "$2" && echo mounted && exec cat'
        unshare = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", str(megabytes), str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.holder = subprocess.Popen(unshare, text=True, **pipes)
        if self.holder.stdout.readline() != "mounted\n":
            raise OSError(f"no tmpfs can be mounted here: {self.holder.stderr.read().strip()}")
        number = str(self.holder.pid)
        nsenter = ["nsenter", "--target", number, "--mount", "--user", "--preserve-credentials"]
        self.enter = [*nsenter, "env", f"--chdir={folder.parent}"]
        """What starts a command that sees this disk, beside its folder."""
        self.folder = Path(f"/proc/{number}/root{folder}")
        """The folder as this process sees it."""
        self.ballast = self.folder / ".ballast"

    def fill(self, leave: int = 0) -> None:
        """Take all room but `leave` bytes, rounded to pages."""
        with open(self.ballast, "wb") as file:
            found = os.statvfs(self.folder)
            os.posix_fallocate(file.fileno(), 0, (found.f_bfree - leave // found.f_bsize) * found.f_bsize)

    def empty(self) -> None:
        """Give back the room that was taken."""
        self.ballast.unlink(missing_ok=True)

    def end(self) -> None:
        self.holder.communicate()
