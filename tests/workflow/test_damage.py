"""Results that are damaged while their times stay: what reads one fails with one message, and what reads none goes on."""

import os
import shutil
import subprocess
import sys
import time

from tests.unit.damages import damage, empty, flip, replace_by_folder, truncate
from tests.workflow.conftest import Checkout, copy_workflow
from tests.workflow.test_portability import READ_ONLY

POINTS = "results/toy/opsft"
L40, L80 = f"{POINTS}/L40/seed0", f"{POINTS}/L80/seed0"
READ_BY = {
    # What is damaged, how, and what reads it: its result and its log.
    f"{L40}/iter2/train/rollouts.parquet": (truncate, "L40/seed0/iter2/train/verdicts.parquet", "verify.log"),
    f"{L40}/iter1/policy/model.safetensors": (flip, "L40/seed0/iter1/eval/sums/rollouts.parquet", "generate.log"),
    f"{L80}/iter1/trainer/optimizer.safetensors": (flip, "L80/seed0/iter2/policy.json", "sft.log"),
    f"{L80}/iter1/eval/sums/verdicts.parquet": (
        replace_by_folder,
        "L80/seed0/iter1/eval/sums/metrics.json",
        "evaluate.log",
    ),
}


def test_what_reads_a_damaged_result_fails_with_one_message_that_says_how_to_go_on(checkout):
    for file, (how, _, _) in READ_BY.items():
        damage(checkout.folder / file, how)
    targets = [f"{POINTS}/{target}" for _, target, _ in READ_BY.values()]
    done = checkout.run("--cores", "2", "--keep-going", *targets, "--forcerun", *targets, check=False)
    assert done.returncode
    for file, (_, target, log) in READ_BY.items():
        lines = (checkout.folder / "results/logs/toy/opsft" / target).with_name(log).read_text().splitlines()
        assert lines[-1].startswith(f"error: {file}: "), lines
        assert f"delete {file} and run again" in lines[-1] or "--forcerun " in lines[-1]
        assert not (checkout.folder / POINTS / target).exists()
    examined = checkout.run("--cores", "1", "verify_results", check=False)
    named = {line.split(": ")[1] for line in examined.stdout.splitlines() if line.startswith("error: ")}
    assert (named, examined.returncode) == (set(READ_BY), 1)


def test_damaged_records_block_neither_plans_nor_pruning(checkout):
    sidecar, manifest = f"{POINTS}/L40/seed0/iter1/train/rollouts.run.json", f"{POINTS}/L80/seed0/iter2/policy.json"
    damage(checkout.folder / sidecar, empty)
    assert checkout.would_run() == {}
    damage(checkout.folder / manifest, empty)
    for command in (("plan",), ("prune", "--config", "keep=last")):
        done = checkout.run("--cores", "1", *command)
        assert f"{manifest}: " in done.stdout + done.stderr
    assert (checkout.folder / POINTS / "L80/seed0/iter1/policy").exists()
    assert not (checkout.folder / POINTS / "L40/seed0/iter1/policy").exists()
    assert "Nothing would run" in checkout.run("--cores", "1", "why").stdout


def test_other_weights_of_the_base_model_of_the_same_size_and_time_run_everything_again(checkout):
    damage(checkout.folder / "models/toy-reasoner/model.safetensors", flip)
    assert {"base": 1, "generate": 9, "sft": 4, "evaluate": 5}.items() <= checkout.would_run().items()


def test_a_damaged_result_that_is_deleted_is_made_again(checkout):
    (checkout.folder / L40 / "iter1/train/selected.parquet").unlink()
    assert checkout.would_run()["filter"] == 2
    pairs = checkout.folder / "results/summary/pairs.csv"
    damage(pairs, truncate)
    done = checkout.run("--dry-run")
    assert "results/summary/pairs.csv: " in done.stdout + done.stderr
    pairs.unlink()
    assert checkout.would_run()["compare"] == 1


def test_results_that_cannot_be_written_can_be_looked_at(checkout):
    """And a home folder that cannot be written is needed by Snakemake's own cache alone."""
    environment = os.environ | {"HOME": "/proc/none", "XDG_CACHE_HOME": str(checkout.folder / "cache")}
    command = [sys.executable, "-m", "snakemake", "--configfile", str(checkout.overlay), "--cores", "1", "plan", "why"]
    within = [*READ_ONLY, str(checkout.folder / "results")]
    done = subprocess.run([*within, *command], cwd=checkout.folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 iterations done" in done.stdout
    assert "Nothing would run" in done.stdout


def test_results_that_were_copied_with_their_times_need_nothing(checkout, tmp_path):
    clone = Checkout(tmp_path / "clone")
    clone.folder.mkdir()
    copy_workflow(clone.folder)
    shutil.copytree(checkout.folder / "results", clone.folder / "results")
    assert clone.would_run() == {}
    # As a copy in another order leaves them, a second apart.
    for age, file in enumerate(sorted((clone.folder / "results").rglob("*")), start=1):
        os.utime(file, (time.time() - age,) * 2)
    assert "generate" in clone.would_run()
    clone.run("--cores", "1", "verify_results")
    clone.run("--cores", "1", "--touch")
    assert clone.would_run() == {}
