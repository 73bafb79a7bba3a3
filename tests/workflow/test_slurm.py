"""A sweep of one point and one iteration, end to end, through a real SLURM in which everything goes wrong once: its files are those of a quiet local run.

In one run, for each job costs many seconds: the training gets too little memory at first; then it is cancelled between two checkpoints;
Snakemake is killed while the next node runs, and started again for all that is left. Needs a SLURM that `sinfo` reaches, on this machine, with two CPUs. A job's limit is
what SLURM sets by itself with VSizeFactor=1000, an address space of ten times the memory asked for; there is no test of it without.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsft_flow.files import read_json
from opsft_flow.machine.file_lock import Holder, read_holder
from opsft_flow.machine.only_copy import lock_file
from tests.workflow.conftest import Checkout, copy_workflow
from tests.workflow.test_kills import summary_hashes
from tests.workflow.test_sweep import hashes

POINT = "results/toy/opsft/L40/seed0/iter1"
TARGET = f"{POINT}/eval/sums/metrics.json"
UPDATES = 12
LOOK_EVERY_SECOND = """
from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)
main()
"""
"""Snakemake; but a look at the queue that finds nothing finished does not put off the next one by ten seconds more: about what a job takes."""
TOO_LITTLE_MB = 175
"""In an address space of ten times this Snakemake starts, and torch cannot be loaded; in one of twenty times it can."""


def slurm_can_be_reached() -> bool:
    return shutil.which("sinfo") is not None and subprocess.run(["sinfo"], capture_output=True).returncode == 0


def memory_is_limited() -> bool:
    settings = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True).stdout
    return re.search(r"^VSizeFactor\s+= 1000 percent", settings, re.MULTILINE) is not None


pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(not slurm_can_be_reached(), reason="needs a SLURM that sinfo reaches"),
]


class Head:
    """A Snakemake that runs on the cluster, and what it has said so far."""

    def __init__(self, checkout: Checkout, name: str, *targets: str) -> None:
        self.log = checkout.folder / f"{name}.txt"
        options = ["--configfile", str(checkout.overlay), "--workflow-profile", "profiles/slurm"]
        command = [sys.executable, "-c", LOOK_EVERY_SECOND, *options, *targets]
        self.started = datetime.now(UTC)
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, cwd=checkout.folder, stdout=log, stderr=log)

    def wait_until(self, answer: Callable[[], object], what: str) -> object:
        """The first answer that is something, from here on while this head runs."""
        deadline = time.monotonic() + 600
        while not (found := answer()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"waited in vain for {what}\n{self.log.read_text()}")
            time.sleep(0.02)
        return found

    def submitted(self, place: str) -> list[tuple[int, str]]:
        """The memory in MB and the state of each job of a rule and its wildcards, as SLURM keeps them for some minutes."""
        run = re.search(r"SLURM run ID: (\S+)", self.log.read_text())[1]
        listing = ["squeue", "--noheader", "--states", "all", "--sort", "i", "--name", run, "--format", "%k %m %T"]
        lines = map(str.split, subprocess.check_output(listing, text=True).splitlines())
        return [(int(memory.rstrip("M")), state) for comment, memory, state in lines if comment == place]


class Story:
    """What has happened: the two heads, the files of both runs, and who was interrupted."""

    def __init__(self, folder: Path) -> None:
        self.local, self.cluster = fresh(folder / "local"), fresh(folder / "cluster")
        quiet = [sys.executable, "-m", "snakemake", "--configfile", str(self.local.overlay), "--cores", "1"]
        with open(folder / "local.txt", "w") as log:
            alone = subprocess.Popen(quiet, cwd=self.local.folder, stdout=log, stderr=log)
        self.first = Head(self.cluster, "first", TARGET)
        try:
            self.cancel_training()
            self.kill_head()
            self.start_again()
        finally:
            self.first.process.kill()
        assert alone.wait() == 0, (folder / "local.txt").read_text()

    def cancel_training(self) -> None:
        """Cancel the job of `sft` once it has saved a checkpoint."""
        scratch = (self.cluster.folder / POINT).parent / ".scratch"
        saved = self.first.wait_until(lambda: next(scratch.glob("*/state/progress.json"), None), "a checkpoint")
        training = self.pause(saved.parents[1] / "lock")
        subprocess.run(["scancel", training.job], check=True)

    def kill_head(self) -> None:
        """Kill Snakemake while a node samples, which lives on."""
        rollouts = self.cluster.folder / POINT / "eval" / "sums" / "rollouts.parquet"
        lock = lock_file(rollouts)
        self.first.wait_until(lambda: lock.exists() and read_holder(lock), "the sampling of the policy")
        self.sampling = self.pause(lock)
        self.trainings = self.first.submitted("rule_sft_wildcards_toy_opsft_L40_seed0_1")
        self.first.process.kill()
        self.first.process.wait()

    def start_again(self) -> None:
        """Start Snakemake again, for the whole sweep; the node goes on once its second copy waits for it."""
        self.cluster.run("--unlock")
        self.cluster.change(resources={"sft": {"mem_mb": 1000}})
        self.second = Head(self.cluster, "second")
        log = self.cluster.folder / "results/logs/toy/opsft/L40/seed0/iter1/eval/sums/generate.log"
        try:
            self.second.wait_until(lambda: "this one waits for it" in text_of(log), "a second copy of the node")
        finally:
            os.kill(self.sampling.process, signal.SIGCONT)
        assert self.second.process.wait() == 0, self.second.log.read_text()
        self.sampled = log.read_text()

    def pause(self, lock: Path) -> Holder:
        """Stop the process that holds a lock, so that what follows finds it at work however slow this machine is."""
        holder = read_holder(lock)
        os.kill(holder.process, signal.SIGSTOP)
        return holder


def text_of(log: Path) -> str:
    """What a log holds; nothing while it is not there, for Snakemake deletes the last attempt's."""
    try:
        return log.read_text()
    except FileNotFoundError:
        return ""


def fresh(folder: Path) -> Checkout:
    folder.mkdir()
    copy_workflow(folder)
    checkout = Checkout(folder)
    checkout.change(
        recipes={"opsft": {"iterations": 1, "sft": {"updates": UPDATES}}},
        sweep=[{"models": ["toy"], "recipes": ["opsft"], "budgets": [40], "seeds": [0], "benchmarks": ["sums"]}],
        resources={"sft": {"mem_mb": TOO_LITTLE_MB if memory_is_limited() else 1000}},
    )
    return checkout


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    return Story(tmp_path_factory.mktemp("slurm"))


def test_the_files_are_those_of_a_local_run(story):
    there, here = story.cluster.folder, story.local.folder
    assert len(hashes(here)) > 10
    assert hashes(there) == hashes(here)
    assert summary_hashes(there) == summary_hashes(here)


def test_a_node_out_of_memory_comes_again_with_more(story):
    if not memory_is_limited():
        pytest.skip("this SLURM limits no memory")
    assert story.trainings[0] == (TOO_LITTLE_MB, "FAILED")
    assert story.trainings[1][0] == 2 * TOO_LITTLE_MB


def test_a_cancelled_training_resumes_from_its_checkpoint(story):
    assert [state for _, state in story.trainings[-2:]] == ["CANCELLED", "COMPLETED"]
    log = (story.cluster.folder / "results/logs/toy/opsft/L40/seed0/iter1/sft.log").read_text()
    done = re.search(rf"resuming after update (\d+) of {UPDATES}", log)
    assert done
    assert 1 <= int(done[1]) < UPDATES


def test_a_node_that_outlives_its_head_is_not_run_twice(story):
    assert "another copy of this node has done the same work" in story.sampled
    sidecar = read_json(story.cluster.folder / POINT / "eval" / "sums" / "rollouts.run.json")
    assert datetime.fromisoformat(sidecar["run"]["started"]) < story.second.started
    # Of what the first head saw end nothing is run again.
    plan = re.search(r"^[\d,]+ jobs: (.*)$", story.second.log.read_text(), re.MULTILINE)[1]
    jobs = {kind: number for number, kind in re.findall(r"(\d+) (\w+)", plan)}
    assert jobs["generate"] == "1"
    assert not {"sft", "base", "problems"} & jobs.keys()
