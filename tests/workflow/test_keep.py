"""Policies that are dropped while the sweep runs: the results are the same, and a dropped one is had again."""

import os
import re
import signal
import subprocess
import sys
import time

from tests.workflow.conftest import Checkout
from tests.workflow.test_sweep import hashes

TABLES = ("points.csv", "curves.csv", "pairs.csv", "recipes.csv")


def kill_when(checkout: Checkout, arguments: list[str], reached) -> None:
    """Run Snakemake, and kill it and all that it has started in its session once `reached()`."""
    command = [sys.executable, "-m", "snakemake", "--configfile", str(checkout.overlay), *arguments]
    process = subprocess.Popen(
        command, cwd=checkout.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 240
    while not reached():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_dropped_policy_is_refused_and_made_again_to_the_same_bytes_though_killed_and_dropped_anew(
    checkout, finished
):
    point = checkout.folder / "results/toy/opsft/L40/seed0"
    checkout.change(keep="last", resources={"sft": {"nodes": 2}})
    again = "results/toy/opsft/L40/seed0/iter2/eval/sums/rollouts.parquet"
    refused = checkout.run("--cores", "2", "--forcerun", again, check=False)
    assert "nothing was sampled: resources.sft.nodes is 2" in refused.stderr
    assert (point / "iter1/policy").exists()
    assert (point / "iter1/trainer").exists()

    checkout.change(resources={"sft": {"nodes": 1}})
    checkout.run("--cores", "1", "prune")

    measured = point / "iter1/eval/sums/rollouts.parquet"
    before = measured.stat().st_mtime_ns
    refused = checkout.run("--cores", "2", "--forcerun", str(measured.relative_to(checkout.folder)), check=False)
    assert refused.returncode != 0
    assert "nothing was run: jobs need policies whose weights or optimiser states were dropped" in refused.stderr
    assert measured.stat().st_mtime_ns == before

    again = re.search(r"--forcerun (\S+);", refused.stderr).group(1)
    assert again == "results/toy/opsft/L40/seed0/iter1/policy.json"
    resampled = point / "iter2/train/rollouts.parquet"
    before = resampled.stat().st_mtime_ns
    kill_when(
        checkout,
        ["--cores", "2", "--forcerun", again],
        lambda: resampled.exists() and resampled.stat().st_mtime_ns > before,
    )
    checkout.run("--unlock")
    checkout.run("--cores", "2", "--forcerun", again)

    dropped = ("iter1/policy/", "iter1/trainer/")
    expected = {path: digest for path, digest in hashes(finished.folder).items() if not any(map(path.count, dropped))}
    assert hashes(checkout.folder) == expected
    for table in TABLES:
        made, first = (root / "results/summary" / table for root in (checkout.folder, finished.folder))
        assert made.read_bytes() == first.read_bytes(), table
