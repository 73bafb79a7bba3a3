"""A copy of the repository in which the shrunk default has been run once, and copies of that copy to change."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow.dry_runs import DryRuns

DRY_RUNS = DryRuns()
ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "Snakefile",
    "config.yaml",
    "workflow",
    "opsft",
    "opsft_flow",
    "profiles",
    "envs",
    "models",
    "experiments",
    "tests",
)


class Checkout:
    """A folder with the workflow, its results, and the overlay that it is run with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.overlay = folder / "tests" / "shrunk.yaml"

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run Snakemake here with the overlay; on a failure the output is the message."""
        options = ["--configfile", str(self.overlay), *arguments]
        if "--dry-run" in options:
            done = DRY_RUNS.run(options, self.folder)
        else:
            command = [sys.executable, "-m", "snakemake", *options]
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def would_run(self, *arguments: str) -> dict[str, int]:
        """How many jobs of each rule a dry run lists."""
        output = self.run("--dry-run", *arguments)
        text = output.stdout + output.stderr
        table = re.search(r"^job\s+count\n[-\s]+\n(.*?)\n\n", text, re.DOTALL | re.MULTILINE)
        if table is None:
            assert "Nothing to be done" in text, text
            return {}
        counts = dict(re.findall(r"^(\w+)\s+(\d+)$", table.group(1), re.MULTILINE))
        return {rule: int(count) for rule, count in counts.items() if rule not in ("all", "total")}

    def change(self, **blocks) -> None:
        """Merge blocks into the overlay, as Snakemake merges overlays: dicts merge, lists replace."""
        config = yaml.safe_load(self.overlay.read_text())
        merge(config, blocks)
        self.overlay.write_text(yaml.safe_dump(config))

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace text in a file of the workflow; it must be there once."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new))


def merge(into: dict, changes: dict) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def copy_workflow(target: Path) -> None:
    """The workflow's own files, with new time stamps, as a fresh clone has them."""
    ignore = shutil.ignore_patterns("__pycache__")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=ignore, copy_function=shutil.copy, dirs_exist_ok=True)
        else:
            shutil.copy(source, target / part)


@pytest.fixture(scope="session", autouse=True)
def dry_runs_end():
    yield
    DRY_RUNS.close()


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Checkout:
    """The shrunk default, run to its end, once for all workers of a test run. Never changed, nor run in: tests work on copies."""
    folder = tmp_path_factory.getbasetemp()
    # Each of pytest-xdist's workers has a folder below that of the test run.
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    checkout = Checkout(shared / "finished")
    done = shared / "finished.done"
    with open(shared / "finished.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            checkout.folder.mkdir(exist_ok=True)
            copy_workflow(checkout.folder)
            checkout.run("--cores", "2")
            done.touch()
    return checkout


@pytest.fixture
def checkout(finished, tmp_path) -> Checkout:
    """A copy of the finished checkout, time stamps and Snakemake's records included."""
    folder = tmp_path / "checkout"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Checkout(folder)
