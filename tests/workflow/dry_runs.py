"""Dry runs of Snakemake's command line, each in a process forked from one that has imported what they all need.

That is two thirds of what a dry run costs. Nothing of this project is imported before the fork, so each reads the checkout that it runs in.

    python -P tests/workflow/dry_runs.py     the server: a JSON order a line, answered by an exit status a line
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


class DryRuns:
    """A server of dry runs, started with the first and ended by `close`."""

    def __init__(self) -> None:
        self.server: subprocess.Popen | None = None

    def run(self, arguments: list[str], folder: Path) -> subprocess.CompletedProcess:
        """What `snakemake ARGUMENT...` does in `folder`; `arguments` must say that it is a dry run."""
        assert "--dry-run" in arguments
        if self.server is None:
            command = [sys.executable, "-P", __file__]
            self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with tempfile.TemporaryDirectory() as written:
            output, errors = Path(written, "output"), Path(written, "errors")
            order = {"arguments": arguments, "folder": str(folder), "files": [str(output), str(errors)]}
            self.server.stdin.write(json.dumps(order) + "\n")
            self.server.stdin.flush()
            status = int(self.server.stdout.readline())
            return subprocess.CompletedProcess(arguments, status, output.read_text(), errors.read_text())

    def close(self) -> None:
        if self.server is not None:
            self.server.stdin.close()
            self.server.wait()


def serve() -> None:
    import jsonschema  # noqa: F401

    # The environment of vLLM has none.
    with contextlib.suppress(ImportError):
        import pandas  # noqa: F401
    import snakemake.cli  # noqa: F401

    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            dry_run(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def dry_run(arguments: list[str], folder: str, files: list[str]) -> None:
    """Run Snakemake in this process, and end it."""
    import snakemake.cli

    os.chdir(folder)
    for descriptor, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.argv = ["snakemake", *arguments]
    sys.path.insert(0, folder)
    status = 1
    try:
        snakemake.cli.main(arguments)
    except SystemExit as end:
        status = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
