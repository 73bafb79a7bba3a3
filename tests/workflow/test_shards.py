"""Sampling in shards: the same graph around them, the same bytes, and nothing sampled twice."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from opsft_flow.files import read_json
from tests.workflow.conftest import Checkout
from tests.workflow.test_sweep import hashes

PLACE = "results/toy/base/eval/sums"
ROLLOUTS = f"{PLACE}/rollouts.parquet"


def set_shards(checkout: Checkout, shards: int) -> None:
    # 24 problems of 2 samples: at 16 sequences at a time, three groups that shards can share.
    checkout.change(resources={"generate": {"shards": shards}}, engine={"max_sequences": 16})


@pytest.fixture
def begun(checkout) -> Checkout:
    """A checkout that has its policies, and no rollouts of the base model."""
    set_shards(checkout, 2)
    shutil.rmtree(checkout.folder / PLACE)
    shutil.rmtree(checkout.folder / "results/logs/toy/base/eval")
    return checkout


def test_each_place_is_sampled_by_its_shards_and_gathered(checkout):
    shutil.rmtree(checkout.folder / "results")
    everything = {
        "problems": 2,
        "base": 1,
        "generate": 9,
        "verify": 9,
        "filter": 4,
        "sft": 4,
        "evaluate": 5,
        "track": 2,
    }
    tables = {"summary": 1, "compare": 1, "timings": 1, "figures": 1, "page": 1}
    set_shards(checkout, 1)
    assert checkout.would_run() == {**everything, **tables}
    set_shards(checkout, 3)
    assert checkout.would_run() == {**everything, **tables, "generate_shard": 27}


def test_only_the_shards_ask_for_a_gpu(begun):
    begun.change(resources={"generate": {"gpu": 1}})
    # Of a job with a message, a dry run lists no resources.
    rules = begun.folder / "workflow/rules/generate.smk"
    rules.write_text(re.sub(r"    message:\n.*\n", "", rules.read_text()))
    done = begun.run("--dry-run", ROLLOUTS)
    jobs = re.split(r"^.*rule ", done.stdout + done.stderr, flags=re.MULTILINE)
    asked = {job.partition(":")[0]: "gpu=1" in job for job in jobs if job.startswith("generate")}
    assert asked == {"generate_shard": True, "generate": False}


def test_a_place_has_the_same_bytes_however_it_was_sampled_though_killed_and_keeps_its_number_of_shards(begun):
    kill_before_gathering(begun)
    # Shards that are there are not sampled again, and another number does not change that.
    set_shards(begun, 3)
    assert begun.would_run(ROLLOUTS) == {"generate": 1}
    (begun.folder / PLACE / "shards" / "2-of-2.parquet").unlink()
    assert begun.would_run(ROLLOUTS) == {"generate_shard": 1, "generate": 1}
    begun.run("--cores", "2", ROLLOUTS)
    assert read_json(begun.folder / PLACE / "rollouts.run.json")["run"]["shards"] == 2
    assert not (begun.folder / PLACE / "shards").exists()
    sampled = (begun.folder / ROLLOUTS).read_bytes()

    for shards in (2, 1, 3):
        set_shards(begun, shards)
        assert begun.would_run(ROLLOUTS) == {}, "another number of shards is no reason to sample again"

    set_shards(begun, 1)
    shutil.rmtree(begun.folder / PLACE)
    begun.run("--cores", "1", ROLLOUTS)
    assert read_json(begun.folder / PLACE / "rollouts.run.json")["run"]["shards"] == 1
    assert (begun.folder / ROLLOUTS).read_bytes() == sampled

    # A place that must be sampled again is so in as many shards as are wanted now.
    set_shards(begun, 3)
    begun.change(benchmarks={"sums": {"temperature": 0.5}})
    assert begun.would_run(ROLLOUTS) == {"generate_shard": 3, "generate": 1}


def kill_before_gathering(begun: Checkout) -> None:
    """Sample in two shards, and kill the workflow when both are there."""
    command = [sys.executable, "-m", "snakemake", "--configfile", str(begun.overlay), "--cores", "1", ROLLOUTS]
    process = subprocess.Popen(
        command, cwd=begun.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    gathering = begun.folder / "results/logs/toy/base/eval/sums/generate.log"
    deadline = time.monotonic() + 120
    while not gathering.exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (begun.folder / ROLLOUTS).exists(), "the kill came too late"


def test_an_iteration_in_shards_gives_the_same_results(finished, checkout):
    """All results are the same to the bytes, and tables, plan and prune take no notice of shards that were kept."""
    shutil.rmtree(checkout.folder / "results/toy/opsft/L40/seed0/iter2")
    checkout.change(resources={"generate": {"shards": 2}})
    checkout.run("--cores", "2", "--notemp")
    assert hashes(checkout.folder) == hashes(finished.folder)
    for name in ("points.csv", "curves.csv"):
        file = f"results/summary/{name}"
        assert (checkout.folder / file).read_bytes() == (finished.folder / file).read_bytes()
    assert checkout.would_run() == {}
    assert "2 points, 31 nodes" in checkout.run("--cores", "1", "plan", "prune").stdout
    assert checkout.would_run() == {}
