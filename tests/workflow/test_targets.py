"""The targets that are called by name."""

import json
import os
import shutil

import pandas
import pytest
import yaml

from opsft_flow.machine.file_lock import try_lock, unlock, write_holder
from tests.workflow.conftest import Checkout


@pytest.fixture(scope="module")
def told(finished, tmp_path_factory) -> tuple[Checkout, str]:
    """A finished checkout in which `plan`, `dump_config` and `replay` have been called, at once, and what they have printed."""
    folder = tmp_path_factory.mktemp("told") / "checkout"
    shutil.copytree(finished.folder, folder, symlinks=True)
    checkout = Checkout(folder)
    return checkout, checkout.run("--cores", "1", "plan", "dump_config", "replay").stdout


def test_plan_lists_the_points_and_runs_nothing(told):
    checkout, printed = told
    assert "toy/opsft/L40/seed0: 2 of 2 iterations done; measured on sums" in printed
    assert "2 points, 31 nodes" in printed
    assert checkout.would_run() == {}


def test_dump_config_prints_a_configuration_that_runs_nothing_again(told, tmp_path):
    checkout, printed = told
    dumped = yaml.safe_load((checkout.folder / "results/logs/dump_config.log").read_text())
    assert dumped["recipes"]["opsft"]["sft"]["normaliser"] == "seq-mean-token-sum-norm"
    assert "normaliser" in printed
    again = Checkout(checkout.folder)
    again.overlay = tmp_path / "dumped.yaml"
    again.overlay.write_text(yaml.safe_dump(dumped))
    assert again.would_run() == {}


def test_replay_tabulates_what_rules_would_keep(told):
    checkout, printed = told
    assert "over 4 iterations of the sweep" in printed
    table = pandas.read_csv(checkout.folder / "results/summary/replay.csv")
    assert len(table) == 4 * table["rules"].nunique() == 4 * 10
    for row in table[table["rules"] == "correct_within"].itertuples():
        made = checkout.folder / f"results/toy/opsft/L{row.budget}/seed0/iter{row.iteration}/train/filter.json"
        assert row.kept == json.loads(made.read_text())["kept"]


def test_prune_keeps_the_last_policy_of_each_point_reruns_nothing_and_the_sweep_grows_by_an_iteration(checkout):
    other = checkout.folder / "results/toy/other/L40/seed0"
    shutil.copytree(checkout.folder / "results/toy/opsft/L40/seed0", other)
    policies = list(checkout.folder.glob("results/toy/opsft/*/seed0/iter*/policy"))
    dropped = "results/toy/opsft/L40/seed0/iter1/policy (2.4 MB)\n"
    for listed in (checkout.run("--cores", "1", "prune"), checkout.run("--dry-run", "prune", "--config", "keep=last")):
        assert f"would drop {dropped}" in listed.stdout
        assert " MB would be freed\nnothing was dropped: " in listed.stdout
    assert len(policies) == 4
    assert all(policy.exists() for policy in policies)
    done = checkout.run("--cores", "1", "prune", "--config", "keep=last")
    assert f"dropped {dropped}" in done.stdout
    assert "MB freed" in done.stdout
    assert "left alone, not in the sweep: toy/other/L40/seed0\n" in done.stdout
    assert (other / "iter1/policy").exists()
    for budget in (40, 80):
        point = checkout.folder / f"results/toy/opsft/L{budget}/seed0"
        assert not (point / "iter1/policy").exists()
        assert not (point / "iter1/trainer").exists()
        assert (point / "iter2/policy/model.safetensors").exists()
        assert (point / "iter2/trainer/optimizer.safetensors").exists()
    assert checkout.would_run() == {}

    checkout.change(recipes={"opsft": {"iterations": 3}})
    checkout.run("--cores", "2", "results/toy/opsft/L80/seed0/iter3/policy.json")
    assert (point / "iter3/policy/model.safetensors").exists()


def test_prune_keeps_what_jobs_that_would_run_again_sample_and_nothing_goes_while_another_run_works(checkout):
    checkout.change(benchmarks={"sums": {"max_tokens": 190}})
    assert checkout.would_run()["generate"] == 5
    policies = [checkout.folder / f"results/toy/opsft/L{budget}/seed0/iter1/policy" for budget in (40, 80)]

    working = try_lock(checkout.folder / "results/.runs/another")
    write_holder(working)
    refused = checkout.run("--cores", "1", "prune", "--config", "keep=last", check=False)
    assert refused.returncode != 0
    assert f"nothing was dropped: results is being worked in by process {os.getpid()} on" in refused.stdout
    unlock(working)

    assert "MB freed" in checkout.run("--cores", "1", "prune", "--config", "keep=last").stdout
    for policy in policies:
        assert policy.exists()
        assert not policy.with_name("trainer").exists()
