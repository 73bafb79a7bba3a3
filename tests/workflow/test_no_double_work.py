"""Nodes that outlive their head, and two calls of Snakemake in one folder: nothing is done twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opsft_flow.machine.file_lock import read_holder
from opsft_flow.machine.only_copy import lock_file
from opsft_flow.machine.unseen import FOLDER, links
from tests.unit.processes import is_running, wait_until
from tests.workflow.test_sweep import hashes

PATIENCE_S = 300.0


@pytest.fixture
def start(checkout):
    """A function that starts Snakemake in the checkout, in a session of its own, which is killed in the end."""
    calls = []

    def started(*arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "snakemake", "--configfile", str(checkout.overlay), "--cores", "1", *arguments]
        with open(checkout.folder / f"call{len(calls)}.txt", "w") as output:
            call = subprocess.Popen(command, cwd=checkout.folder, stdout=output, stderr=output, start_new_session=True)
        calls.append(call)
        return call

    yield started
    for call in calls:
        try:
            os.killpg(call.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        call.wait()


def text_of(log: Path) -> str:
    """What a log says; Snakemake deletes it before it starts its node again."""
    return log.read_text(errors="replace") if log.exists() else ""


def sidecar(folder: Path, result: str) -> dict:
    return json.loads((folder / "results" / result).read_text())


@pytest.mark.parametrize("still_running", [True, False])
def test_a_training_that_outlives_its_head_is_not_done_again(finished, checkout, start, monkeypatch, still_running):
    """The head is killed inside a training; the next one is started while that goes on, or when it has ended."""
    checkout.change(warm={"imports": False})
    folder, target = checkout.folder, "results/toy/opsft/L80/seed0/iter2/policy.json"
    shutil.rmtree((folder / target).parent)
    shutil.copytree(finished.folder / "results/toy/opsft/L80/seed0/iter2/train", (folder / target).parent / "train")
    head = start(target)
    lock, log = lock_file(folder / target), folder / "results/logs/toy/opsft/L80/seed0/iter2/sft.log"
    wait_until(lambda: read_holder(lock) is not None, PATIENCE_S)
    node = read_holder(lock).process
    os.kill(node, signal.SIGSTOP)
    head.kill()
    head.wait()
    # A result that the killed head has seen, and that no node will read again.
    monkeypatch.setenv(FOLDER, str(folder / "results/.unseen"))
    seen = next(links("results/toy/opsft/L80/seed0/iter2/train/verdicts.parquet"))
    seen.parent.mkdir(exist_ok=True)
    seen.touch()
    # As `--unlock` does, in less time.
    shutil.rmtree(folder / ".snakemake/locks")
    if still_running:
        again = start(target)
        wait_until(lambda: f"this one waits for it: process {node} on" in text_of(log), PATIENCE_S)
        os.kill(node, signal.SIGCONT)
    else:
        os.kill(node, signal.SIGCONT)
        wait_until(lambda: not is_running(node), PATIENCE_S)
        made = sidecar(folder, "toy/opsft/L80/seed0/iter2/policy.run.json")
        again = start(target)
    assert again.wait(PATIENCE_S) == 0
    assert "another copy of this node has done the same work: its result is taken" in text_of(log)
    if not still_running:
        assert sidecar(folder, "toy/opsft/L80/seed0/iter2/policy.run.json") == made
    point = "results/toy/opsft/L80/seed0/iter2"
    mine, theirs = hashes(folder, point), hashes(finished.folder, point)
    assert {name: mine[name] for name in ("policy.json", "policy/model.safetensors")} == {
        name: theirs[name] for name in ("policy.json", "policy/model.safetensors")
    }
    assert not lock.exists()
    assert not list((folder / "results").glob(".unseen/*"))


def test_two_calls_on_different_points_give_what_one_gives(finished, checkout, start):
    """What the points share is there: each call runs the nodes of its own point, and the lock of neither is in the other's way."""
    shared = [path for path in hashes(checkout.folder) if "/base/" in path]
    before = {path: (checkout.folder / "results" / path).stat().st_mtime_ns for path in shared}
    folders = [checkout.folder / f"results/toy/opsft/L{budget}" for budget in (40, 80)]
    for folder in folders:
        shutil.rmtree(folder)
    calls = [start(f"results/toy/opsft/L{budget}/seed0/iter1/policy.json") for budget in (40, 80)]
    assert [call.wait(PATIENCE_S) for call in calls] == [0, 0]
    expected = hashes(finished.folder)
    made = hashes(checkout.folder)
    assert made == {path: expected[path] for path in made}
    assert sum(path.endswith("iter1/policy/model.safetensors") for path in made) == 2
    assert {path: (checkout.folder / "results" / path).stat().st_mtime_ns for path in shared} == before
    for number in range(2):
        assert "4 jobs done in " in (checkout.folder / f"call{number}.txt").read_text()
