"""Keeping policies while a sweep runs: nothing that is still needed goes, and what is promised is left."""

import pathlib
import random
import shutil
import tempfile
import time
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsft_flow.files import write_json
from opsft_flow.places import sampled_policy
from opsft_flow.points import Point
from opsft_flow.weights.keep import Keeper, check_uses, policy_uses
from opsft_flow.weights.policy import trained_folders
from opsft_flow.weights.prune import Use
from tests.unit.simulated_sweep import POINT, Job, Sweep

ITERATIONS = 4
KEEP = st.sampled_from(["last", {"every": 1}, {"every": 2}, {"every": 3}])
REFRESH_EVERY = st.sampled_from([1, 2, 3, None])
EMPTY = st.sets(st.integers(1, ITERATIONS), max_size=2)


def sweep_in(folder, keep, refresh_every, empty=(), seed=0, benchmarks=("a", "b")) -> Sweep:
    block = {"iterations": ITERATIONS, "benchmarks": list(benchmarks), "refresh_every": refresh_every}
    return Sweep(pathlib.Path(folder), block, keep, set(empty), random.Random(seed))


def promised(sweep: Sweep) -> set[str]:
    """What `keep` promises to leave, by the documentation: the last, the one sampled next, and every k-th, each with its state."""
    last = {ITERATIONS, sampled_policy(ITERATIONS + 1, sweep.block["refresh_every"])} - {0}
    kept = set() if sweep.keep == "last" else set(range(0, ITERATIONS + 1, sweep.keep["every"])) - {0}
    folders = [folder for i in last | kept for folder in trained_folders(sweep.manifest(i))]
    return {f"{folder.parent.name}/{folder.name}" for folder in folders}


@settings(max_examples=25, deadline=None)
@given(keep=KEEP, refresh_every=REFRESH_EVERY, empty=EMPTY, seed=st.integers(0, 10**6))
def test_in_any_order_with_any_kills_each_job_finds_its_policy_and_what_was_promised_is_left(
    keep, refresh_every, empty, seed
):
    with tempfile.TemporaryDirectory() as folder:
        sweep = sweep_in(folder, keep, refresh_every, empty, seed)
        sweep.run()
        assert sweep.left() == promised(sweep)


@settings(max_examples=25, deadline=None)
@given(
    keep=KEEP,
    refresh_every=REFRESH_EVERY,
    empty=EMPTY,
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["sample", "train", "measure"]),
    iteration=st.integers(1, ITERATIONS),
)
def test_where_a_finished_point_runs_again_in_part_each_job_finds_its_policy(
    keep, refresh_every, empty, seed, kind, iteration
):
    with tempfile.TemporaryDirectory() as folder:
        sweep = sweep_in(folder, "all", refresh_every, empty, seed)
        sweep.run(kills=False)
        sweep.keep = keep
        sweep.run_again_from(Job(kind, iteration, "a" if kind == "measure" else ""))
        sweep.run()
        assert sweep.left() == promised(sweep)


@pytest.mark.parametrize(("keep", "most"), [("all", 4), ("last", 2), ({"every": 2}, 3)])
def test_where_each_policy_is_measured_before_the_next_is_trained_two_are_on_disk_at_most(tmp_path, keep, most):
    """Besides the k-th ones, the policy that is trained on and the one that is written."""
    sweep = sweep_in(tmp_path, keep, 1, benchmarks=("a",))
    kinds = ("sample", "train", "measure")
    for job in (Job(kind, i, "a" if kind == "measure" else "") for i in range(1, ITERATIONS + 1) for kind in kinds):
        sweep.start(job)
        sweep.write(job)
        sweep.written.remove(job)
        sweep.tidy()
    assert sweep.most_weights == most


def test_where_measuring_lags_behind_only_the_weights_wait_for_it(tmp_path):
    sweep = sweep_in(tmp_path, "last", 1, benchmarks=("a",))
    for job in (Job(kind, i) for i in (1, 2, 3) for kind in ("sample", "train")):
        sweep.start(job)
        sweep.write(job)
        sweep.written.remove(job)
        sweep.tidy()
    assert sweep.left() == {"iter1/policy", "iter2/policy", "iter3/policy", "iter3/trainer"}


def wait_until(holds) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_keeper_drops_when_a_job_is_down_as_done_and_no_sooner(tmp_path, monkeypatch):
    monkeypatch.setattr("opsft_flow.weights.keep.EVERY_S", 0.01)
    sweep, done = sweep_in(tmp_path / "results", "all", 1, benchmarks=("a",)), set()
    sweep.run(kills=False)
    keeper = Keeper(str(sweep.results), "last", str(tmp_path / "logs/keep.log"))
    uses = {job: sweep.use(job) for job in (Job("measure", 1, "a"), Job("train", 3))}
    keeper.start([{**vars(POINT), **sweep.block}], uses, done.__contains__)
    begun = {
        "iter1/policy",
        "iter2/policy",
        "iter2/trainer",
        "iter3/policy",
        "iter3/trainer",
        "iter4/policy",
        "iter4/trainer",
    }
    wait_until(lambda: sweep.left() == begun)
    done.add(Job("measure", 1, "a"))
    wait_until(lambda: sweep.left() == begun - {"iter1/policy"})
    done.add(Job("train", 3))
    keeper.stop()
    assert sweep.left() == {"iter4/policy", "iter4/trainer"}
    lines = (tmp_path / "logs/keep.log").read_text().splitlines()
    assert len(lines) == 6
    assert lines[0] == f"dropped {sweep.folder / 'iter1/trainer'} (0.0 MB)"


def test_a_point_that_is_not_in_the_configuration_is_left_alone(tmp_path):
    sweep = sweep_in(tmp_path, "all", 1)
    sweep.run(kills=False)
    keeper = Keeper(str(tmp_path), "last", str(tmp_path / "keep.log"))
    keeper.start([], {Job("train", 1): sweep.use(Job("train", 1))}, lambda job: True)
    keeper.stop()
    assert len(sweep.left()) == 2 * ITERATIONS


def test_a_folder_that_cannot_be_dropped_is_told_and_the_others_go(tmp_path, monkeypatch):
    sweep = sweep_in(tmp_path, "all", 1)
    sweep.run(kills=False)
    monkeypatch.setattr(
        "opsft_flow.weights.keep.prune_point", lambda *_: (_ for _ in ()).throw(PermissionError("not yours"))
    )
    keeper = Keeper(str(tmp_path), "last", str(tmp_path / "keep.log"))
    keeper.start([{**vars(POINT), **sweep.block}], {1: sweep.use(Job("train", 1))}, lambda job: False)
    keeper.stop()
    assert set((tmp_path / "keep.log").read_text().splitlines()) == {"m/r/L8/seed0: not yours"}


def test_a_point_that_no_job_of_this_run_works_on_is_left_alone(tmp_path):
    """It is finished, or another call's: what that will read is not known here."""
    mine, other = sweep_in(tmp_path, "all", 1), Point("m", "r", 16, 0)
    mine.run(kills=False)
    shutil.copytree(mine.folder, tmp_path / other.path)
    keeper = Keeper(str(tmp_path), "last", str(tmp_path / "keep.log"))
    points = [{**vars(point), **mine.block} for point in (POINT, other)]
    keeper.start(points, {1: mine.use(Job("train", 4))}, lambda job: True)
    keeper.stop()
    assert mine.left() == {"iter4/policy", "iter4/trainer"}
    left = [folder for name in ("policy", "trainer") for folder in (tmp_path / other.path).glob(f"iter*/{name}")]
    assert len(left) == 2 * ITERATIONS


@pytest.mark.parametrize("file", ["other/m/r/L8/seed0/iter1/policy.json", "results/policy.json", "policy.json"])
def test_a_policy_of_another_sweep_is_of_no_point(tmp_path, file):
    keeper = Keeper(str(tmp_path / "results"), "last", str(tmp_path / "keep.log"))
    keeper.start([{**vars(POINT), "iterations": 1}], {1: Use(samples=tmp_path / file)}, lambda job: False)
    keeper.stop()
    assert keeper.blocks == {}


@dataclass(eq=False)
class AnyJob:
    """A job of Snakemake's, by its named files."""

    input: dict
    output: dict


def test_of_another_workflow_s_jobs_those_that_use_policies_of_these_results_count():
    """Its files by the same names can be anything: no policy, one of other results, or several."""
    policy = "results/m/r/L8/seed0/iter1/policy.json"
    jobs = {
        "generate": ({"policy": policy}, {"rollouts": "r.parquet"}),
        "sft": ({"parent": "results/m/base/policy.json"}, {"policy": policy}),
        "a table": ({"policy": "results/policy.csv"}, {}),
        "another sweep": ({"policy": "more/m/r/L8/seed0/iter1/policy.json"}, {"policy": "policy.json"}),
        "several": ({"policy": [policy]}, {}),
        "problems": ({}, {}),
    }
    named = {AnyJob(given, made): name for name, (given, made) in jobs.items()}
    found = {named[job]: use for job, use in policy_uses(named, "results").items()}
    manifest = pathlib.Path(policy)
    assert found == {
        "generate": Use(samples=manifest),
        "sft": Use(parent=pathlib.Path("results/m/base/policy.json"), writes=manifest),
    }


def test_by_default_nothing_is_dropped(tmp_path):
    sweep = sweep_in(tmp_path, "all", 1)
    sweep.run(kills=False)
    keeper = Keeper(str(tmp_path), "all", str(tmp_path / "keep.log"))
    keeper.start([{**vars(POINT), **sweep.block}], {}, lambda job: True)
    keeper.stop()
    assert len(sweep.left()) == 2 * ITERATIONS


@pytest.fixture
def kept_last(tmp_path):
    """A finished point of which the last policy is left, and the base model's manifest."""
    sweep = sweep_in(tmp_path, "last", 1)
    sweep.run(kills=False)
    write_json(sweep.manifest(0), {"path": None, "optimizer": None})
    return sweep


def test_jobs_that_need_what_was_dropped_are_refused_with_the_way_to_have_it_again(kept_last):
    uses = [kept_last.use(Job("measure", 2, "a")), kept_last.use(Job("train", 4))]
    with pytest.raises(
        ValueError, match=r"iter2/policy.json, \S*iter3/policy.json. .*--forcerun \S*iter1/policy.json; or"
    ):
        check_uses(uses)


def test_the_optimiser_s_state_is_needed_to_train_and_not_to_sample(kept_last):
    kept_last.folder.joinpath("iter4/trainer").rmdir()
    check_uses([kept_last.use(Job("measure", 4, "a"))])
    with pytest.raises(ValueError, match=r"iter4/policy.json"):
        check_uses([Use(parent=kept_last.manifest(4))])


def test_the_base_model_and_what_is_made_again_are_not_missed(kept_last):
    jobs = [Job("sample", 1), Job("train", 1), Job("measure", 1, "a"), Job("train", 2), Job("train", 3)]
    check_uses([kept_last.use(job) for job in jobs])
