"""A sweep that is killed again and again, at random moments, goes on to the bytes of one that never was.

A round is a sweep with about ten kills, or with OPSFT_KILLS of them where that is less; `OPSFT_KILLS=30` makes three rounds, which hit a node of
every kind, and OPSFT_SEED numbers the first. A failure names the seed of its round and tells each kill.
"""

import contextlib
import hashlib
import itertools
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from opsft_flow.machine.runtime import FOLDER
from tests.unit.processes import wait_until
from tests.workflow.conftest import Checkout, copy_workflow
from tests.workflow.test_sweep import hashes

CHAIN = {
    "problems": 0.2,
    "base": 0.2,
    "generate_shard": 1.0,
    "generate": 1.5,
    "verify": 0.4,
    "evaluate": 0.2,
    "filter": 0.2,
    "sft": 1.5,
    "stop": 0.2,
    "track": 1.0,
}
"""Kinds of nodes in the order in which they are reached, with the longest wait in seconds before one that has begun is killed."""
LAST = {"summary": 0.3, "timings": 0.2, "compare": 0.3, "figures": 1.0, "page": 0.3}
"""One or two of these are hit in a round, and all of them in three rounds."""
ONLY_IN = {"generate_shard": 1, "stop": 2}
"""Kinds of which there are nodes in one of three rounds alone."""
OVERLAYS = (
    {},
    {"resources": {"generate": {"shards": 2}}},
    {"recipes": {"opsft": {"stop": {"kept_share_below": {"share": 1e-9, "patience": 1}}}}},
)
"""The sweeps of three rounds: the shrunk default, sampled in shards, and with a rule that stops no point. Their results are the same."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PATIENCE_S = 600
TARGETS = ("head", "node", "servers", "everything")
TABLES = (
    "points.csv",
    "points.parquet",
    "curves.csv",
    "training.csv",
    "measured_with.csv",
    "pairs.csv",
    "recipes.csv",
    "contrasts.csv",
    "cuts.csv",
)
FIGURES = ("pareto", "budget_curves", "iterations")
KILLS_OF_ROUND = 10
KILLS, FIRST_SEED = (int(os.environ.get(name, default)) for name, default in (("OPSFT_KILLS", 5), ("OPSFT_SEED", 0)))
MOST_RUNS = 60
"""In a round; one that needs more does not get on."""


class Victim:
    """A sweep from its start, and all processes that work on it: their environment names its runtime folder."""

    def __init__(self, folder: Path, runtime: Path, overlay: dict) -> None:
        folder.mkdir()
        copy_workflow(folder)
        self.checkout, self.runtime = Checkout(folder), runtime
        self.checkout.change(**overlay)
        self.output = folder / "output.txt"
        self.head: subprocess.Popen | None = None
        self.runs = 0
        self.foreign: set[int] = set()
        """Processes of others, which need not be looked at again."""

    def start(self, *arguments: str) -> None:
        overlay = ["--configfile", str(self.checkout.overlay)]
        command = [sys.executable, "-m", "snakemake", *overlay, "--cores", "2", *arguments]
        environment = os.environ | {FOLDER: str(self.runtime)}
        if self.head is not None:
            self.wait()
        self.runs += 1
        assert self.runs < MOST_RUNS, self.output.read_text()
        with open(self.output, "w") as output:
            self.head = subprocess.Popen(
                command,
                cwd=self.checkout.folder,
                env=environment,
                stdout=output,
                stderr=output,
                # A signal to its group must not reach the tests.
                start_new_session=True,
            )

    def is_running(self) -> bool:
        return self.head is not None and self.head.poll() is None

    def processes(self) -> dict[int, str]:
        """Command lines by process id."""
        present = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        self.foreign &= present
        found = {}
        for pid in present - self.foreign:
            with contextlib.suppress(OSError):
                if str(self.runtime).encode() in Path(f"/proc/{pid}/environ").read_bytes():
                    found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                else:
                    self.foreign.add(pid)
        return found

    def nodes(self) -> dict[int, str]:
        """Kinds of the nodes that run, by the process ids of their launchers."""
        launchers = {
            pid: re.search(r"^\S+ -P -m opsft_flow\.machine\.launch \S+/(\w+)\.py .*?(--shard \d|$)", command)
            for pid, command in self.processes().items()
        }
        return {pid: f"{match[1]}_shard" if match[2] else match[1] for pid, match in launchers.items() if match}

    def kill(self, target: str, kind: str, number: signal.Signals) -> str | None:
        """Send a signal to the head, a node, the servers, or to everything; which nodes ran, or None where that kind did not."""
        nodes = self.nodes()
        if kind not in nodes.values():
            return None
        processes = self.processes()
        chosen = {
            "head": [self.head.pid],
            "node": [pid for pid, running in nodes.items() if running == kind],
            # A forked node has the command line of the server that forked it.
            "servers": [pid for pid, command in processes.items() if "opsft_flow.machine.forkserver" in command],
            "everything": list(processes),
        }
        for pid in chosen[target]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return ", ".join(sorted(nodes.values())) if chosen[target] else None

    def hit(self, kind: str, target: str, number: signal.Signals, random_number: random.Random) -> str:
        """Run the sweep until a node of this kind runs, wait a little, and kill; a line for the record."""
        longest, killed = {**CHAIN, **LAST}[kind], None
        while killed is None:
            if not self.is_running():
                # A run that has come to its end has let all nodes of the kind get away.
                complete = self.head is not None and self.head.returncode == 0
                self.start(*(self.again(kind) if complete else []))
            wait_until(lambda: kind in self.nodes().values() or not self.is_running(), seconds=PATIENCE_S)
            wait = random_number.uniform(0, longest)
            time.sleep(wait)
            killed = self.kill(target, kind, number)
            longest /= 2
        if target in ("head", "everything"):
            self.wait()
        return f"{number.name} to {target}, {wait:.3f} s into {kind}; running: {killed}"

    def again(self, kind: str) -> list[str]:
        """Options of a run that has nodes of this kind once more."""
        if kind != "stop":
            return ["--forcerun", kind]
        # A decision that has been taken is a node only where what it rests on is to be made again.
        for policy in self.checkout.folder.glob("results/toy/opsft/*/seed0/iter1/policy.json"):
            policy.unlink()
        return []

    def wait(self) -> None:
        """Wait for the end of a run. None is refused: not for a lock, and not for a file that is incomplete."""
        self.head.wait(timeout=PATIENCE_S)
        text = self.output.read_text()
        assert "cannot be locked" not in text, text
        assert "IncompleteFilesException" not in text, text

    def finish(self) -> None:
        """Let the run that goes on end, and run once more, to the end."""
        self.start()
        self.wait()
        assert self.head.returncode == 0, self.output.read_text()

    def end(self) -> None:
        for pid in [*self.processes(), *([self.head.pid] if self.is_running() else [])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.head is not None:
            self.head.wait()


@pytest.fixture
def victim(tmp_path, tmp_path_factory, seed):
    runtime = tmp_path_factory.mktemp("run")
    runtime.chmod(0o700)
    victim = Victim(tmp_path / "killed", runtime, OVERLAYS[seed % 3])
    yield victim
    victim.end()


def summary_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of the tables and figures, those aside that hold times."""
    names = [*TABLES, *(f"{name}.{suffix}" for name in FIGURES for suffix in ("svg", "png"))]
    return {name: hashlib.sha256((folder / "results/summary" / name).read_bytes()).hexdigest() for name in names}


def leftovers(folder: Path) -> list[str]:
    """Half-written files, shards, scratch, locks, links to results, and records of incomplete files."""
    pattern = r"/(\.scratch|\.unseen|shards)/|/tmp\w{8}$|\.(tmp|old|lock)$"
    results = [p for p in (folder / "results").rglob("*") if re.search(pattern, str(p.relative_to(folder)))]
    records = [p for name in ("locks", "incomplete") for p in (folder / ".snakemake" / name).rglob("*") if p.is_file()]
    return [str(p.relative_to(folder)) for p in results + records]


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="processes are found in /proc")
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + math.ceil(KILLS / KILLS_OF_ROUND)))
def test_a_sweep_killed_again_and_again_ends_with_the_bytes_of_one_that_never_was(finished, victim, seed):
    random_number, record = random.Random(seed), []
    kinds = [kind for kind in CHAIN if ONLY_IN.get(kind, seed % 3) == seed % 3] + list(LAST)[seed % 3 :: 3]
    if len(kinds) > KILLS:
        kinds = [kinds[i] for i in sorted(random_number.sample(range(len(kinds)), KILLS))]
    kills = random_number.sample(list(itertools.product(TARGETS, SIGNALS)), len(kinds))
    for kind, (target, number) in zip(kinds, kills, strict=True):
        record.append(victim.hit(kind, target, number, random_number))
        print(f"seed {seed}: {record[-1]}", flush=True)
    victim.finish()
    story = "\n".join([f"seed {seed}", *record])
    assert hashes(victim.checkout.folder) == hashes(finished.folder), story
    assert summary_hashes(victim.checkout.folder) == summary_hashes(finished.folder), story
    assert leftovers(victim.checkout.folder) == [], story
    for point in victim.checkout.folder.glob("results/toy/opsft/*/seed0"):
        assert len(list(point.glob("wandb/offline-run-*"))) == 1, story
    wait_until(lambda: not victim.processes() and not list(victim.runtime.glob("head-*")))
