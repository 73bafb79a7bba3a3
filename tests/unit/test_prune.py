"""Pruning: what an open point needs stays, the last of every point stays, the rest may go."""

import os
import pathlib
import subprocess

import pytest

from opsft_flow.files import write_json
from opsft_flow.integrity import Damaged
from opsft_flow.points import Point
from opsft_flow.weights.keep import check_uses
from opsft_flow.weights.policy import checkpoint_of
from opsft_flow.weights.prune import (
    Use,
    abandoned_scratch,
    drop,
    droppable,
    finish_dropping,
    prune_point,
    prune_points,
)
from opsft_flow.weights.scratch import Scratch

POINT = "m/r/L8/seed0"


class Tree:
    """A results tree that is made by hand, and what may be dropped from it."""

    def __init__(self, results: pathlib.Path) -> None:
        self.results = results

    def add_policy(self, iteration: int, copy_of: int | None = None, point: str = POINT) -> None:
        """A trained policy, or one that is policy `copy_of` again."""
        folder = self.results / point / f"iter{iteration}"
        above = "" if copy_of is None else f"../iter{copy_of}/"
        if copy_of is None:
            for name in ("policy", "trainer"):
                (folder / name).mkdir(parents=True)
                (folder / name / "weights").write_text("w")
        optimizer = {"path": f"{above}trainer", "files": {}}
        write_json(folder / "policy.json", {"path": f"{above}policy", "files": {}, "optimizer": optimizer})

    def add_rollouts(self, *places: str, point: str = POINT) -> None:
        for place in places:
            file = self.results / point / place / "rollouts.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()

    def finish(self, iterations: int, point: str = POINT) -> None:
        """All rollouts of a point with that many iterations and benchmark b."""
        for i in range(1, iterations + 1):
            self.add_rollouts(f"iter{i}/train", f"iter{i}/eval/b", point=point)

    def manifest(self, iteration: int) -> pathlib.Path:
        return self.results / POINT / f"iter{iteration}" / "policy.json"

    def dropped(
        self,
        iterations: int = 3,
        benchmarks: tuple[str, ...] = ("b",),
        refresh_every: int | None = 1,
        keep: str | dict = "last",
        uses: tuple[Use, ...] = (),
        point: str = POINT,
    ) -> list[str]:
        """What may go, relative to the results."""
        block = {"iterations": iterations, "benchmarks": list(benchmarks), "refresh_every": refresh_every}
        folders = droppable(str(self.results), Point.from_path(point), block, keep, uses)
        return [folder.relative_to(self.results).as_posix() for folder in folders]


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "results")


def weights(*iterations: int, point: str = POINT) -> list[str]:
    return [f"{point}/iter{i}/{name}" for i in iterations for name in ("policy", "trainer")]


def test_a_policy_that_is_being_written_stays(tree):
    tree.add_policy(1)
    tree.add_policy(2)
    tree.finish(1)
    (tree.results / POINT / "iter2/policy.json").unlink()
    assert tree.dropped() == []


def test_of_a_finished_point_only_the_last_policy_stays(tree):
    for i in (1, 2, 3):
        tree.add_policy(i)
    tree.finish(3)
    assert tree.dropped() == weights(1, 2)


def test_the_last_of_a_point_stays_whatever_the_configuration_asks_for(tree):
    tree.add_policy(1)
    tree.finish(1)
    for iterations in (1, 3):
        assert tree.dropped(iterations) == []


@pytest.mark.parametrize(("refresh_every", "dropped"), [(1, (1, 2, 4)), (2, (1,)), (None, (1, 2, 4))])
def test_where_the_configuration_has_fewer_iterations_than_were_trained_its_last_stays_too(
    tree, refresh_every, dropped
):
    """The tables end with policy 3; renewed every 2, iteration 4 is sampled from policy 2, and iteration 6 from 4."""
    for i in range(1, 6):
        tree.add_policy(i)
    tree.finish(5)
    assert tree.dropped(3, refresh_every=refresh_every) == weights(*dropped)


def test_the_last_is_the_last_by_number(tree):
    for i in range(1, 11):
        tree.add_policy(i)
    tree.finish(10)
    assert tree.dropped(10) == weights(*range(1, 10))


def test_a_policy_that_is_still_to_be_measured_stays(tree):
    for i in (1, 2, 3):
        tree.add_policy(i)
    tree.finish(3)
    (tree.results / POINT / "iter1/eval/b/rollouts.parquet").unlink()
    assert tree.dropped() == [f"{POINT}/iter1/trainer", *weights(2)]


def test_a_benchmark_that_the_configuration_adds_opens_every_policy(tree):
    for i in (1, 2, 3):
        tree.add_policy(i)
    tree.finish(3)
    assert tree.dropped(benchmarks=("b", "new")) == [f"{POINT}/iter1/trainer", f"{POINT}/iter2/trainer"]


def test_a_policy_that_is_still_to_be_trained_on_stays_with_the_optimiser_s_state(tree):
    for i in (1, 2, 3):
        tree.add_policy(i)
    tree.finish(3)
    tree.manifest(2).unlink()
    assert tree.dropped() == []


@pytest.mark.parametrize("reader", ["iter1/eval/b/rollouts.parquet", "iter2/train/rollouts.parquet"])
def test_what_is_older_than_the_policy_was_not_made_from_it(tree, reader):
    for i in (1, 2, 3):
        tree.add_policy(i)
    tree.finish(3)
    os.utime(tree.results / POINT / reader, ns=(0, 0))
    assert tree.dropped() == [f"{POINT}/iter1/trainer", *weights(2)]


def test_every_k_th_policy_stays_with_the_optimiser_s_state(tree):
    for i in range(1, 8):
        tree.add_policy(i)
    tree.finish(7)
    assert tree.dropped(7, keep={"every": 3}) == weights(1, 2, 4, 5)


def test_what_a_job_still_reads_stays_though_its_result_is_there(tree):
    for i in (1, 2, 3):
        tree.add_policy(i)
    tree.finish(3)
    assert tree.dropped(uses=(Use(samples=tree.manifest(1)),)) == [f"{POINT}/iter1/trainer", *weights(2)]
    assert tree.dropped(uses=(Use(parent=tree.manifest(1)),)) == weights(2)


def test_what_is_written_anew_is_left_to_its_writer(tree):
    for i in (1, 2, 3):
        tree.add_policy(i)
    tree.finish(3)
    assert tree.dropped(uses=(Use(writes=tree.manifest(1)),)) == weights(2)


@pytest.fixture
def put_aside(tree):
    """A policy and its state, put aside by a process that was killed before it had deleted anything."""
    folder = tree.results / POINT / "iter1"
    for name in ("policy", "trainer"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.json").write_text("1")
        (folder / name / "b.json").write_text("2")
    files = [{path: {"bytes": 1} for path in ("a.json", "b.json")}] * 2
    optimizer = {"path": "trainer", "files": files[1]}
    write_json(folder / "policy.json", {"path": "policy", "files": files[0], "optimizer": optimizer})
    ended = subprocess.Popen(["true"])
    ended.wait()
    for name in ("policy", "trainer"):
        (folder / name).rename(folder / f".{name}.{ended.pid}.old")
    return folder


def names_in(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_put_aside_by_a_killed_process_is_put_back_where_it_is_whole_and_else_deleted(tree, put_aside):
    state = next(put_aside.glob(".trainer.*.old"))
    (state / "a.json").unlink()
    finish_dropping(str(tree.results), Point.from_path(POINT))
    assert names_in(put_aside) == ["policy", "policy.json"]
    assert names_in(put_aside / "policy") == ["a.json", "b.json"]


def test_what_was_put_aside_is_deleted_where_there_is_another_one(tree, put_aside):
    (put_aside / "policy").mkdir()
    finish_dropping(str(tree.results), Point.from_path(POINT))
    assert names_in(put_aside) == ["policy", "policy.json", "trainer"]
    assert names_in(put_aside / "policy") == []


def test_what_a_living_process_has_put_aside_is_left_to_it(tree, put_aside):
    aside = next(put_aside.glob(".policy.*.old"))
    aside.rename(put_aside / f".policy.{os.getpid()}.old")
    finish_dropping(str(tree.results), Point.from_path(POINT))
    assert names_in(put_aside) == [f".policy.{os.getpid()}.old", "policy.json", "trainer"]


def test_what_a_damaged_manifest_may_name_is_left_alone(tree, put_aside):
    (put_aside / "policy.json").write_text("")
    before = names_in(put_aside)
    with pytest.raises(Damaged, match=r"iter1/policy.json: no JSON"):
        finish_dropping(str(tree.results), Point.from_path(POINT))
    assert names_in(put_aside) == before


def test_what_another_has_dropped_meanwhile_is_no_error(tmp_path):
    assert drop(tmp_path / "policy") == 0


def test_the_bytes_of_what_would_be_dropped_and_was_dropped_are_counted(tree):
    for i in (1, 2):
        tree.add_policy(i)
    tree.finish(2)
    block = {"iterations": 2, "benchmarks": ["b"], "refresh_every": 1}
    for only_look in (True, False):
        dropped = prune_point(str(tree.results), Point.from_path(POINT), block, "last", only_look=only_look)
        assert [size for _, size in dropped] == [1, 1]
    assert list(prune_point(str(tree.results), Point.from_path(POINT), block, "last")) == []


@pytest.mark.parametrize(("refresh_every", "dropped"), [(1, (1, 3)), (2, (1, 3)), (None, (1, 2, 3))])
def test_a_policy_stays_while_an_iteration_is_still_to_be_sampled_from_it(tree, refresh_every, dropped):
    for i in (1, 2, 3, 4):
        tree.add_policy(i)
    tree.finish(4)
    # With a renewal every 2 iterations, iterations 3 and 4 are sampled from policy 2; else iteration 3 alone, or none.
    sampled_from_2 = {1: 3, 2: 4, None: 4}[refresh_every]
    (tree.results / POINT / f"iter{sampled_from_2}/train/rollouts.parquet").unlink()
    found = tree.dropped(4, refresh_every=refresh_every)
    assert [path for path in found if path.endswith("policy")] == [f"{POINT}/iter{i}/policy" for i in dropped]


def test_the_policy_that_one_more_iteration_would_be_sampled_from_stays(tree):
    for i in (1, 2, 3):
        tree.add_policy(i)
    tree.finish(3)
    assert tree.dropped(3, refresh_every=2) == weights(1)
    assert tree.dropped(3, refresh_every=None) == weights(1, 2)


def test_a_point_with_a_schedule_is_pruned_like_any_other(tree):
    point = "m/r/L-tighten/seed0"
    for i in (1, 2):
        tree.add_policy(i, point=point)
    tree.finish(2, point=point)
    assert tree.dropped(2, point=point) == weights(1, point=point)


def test_a_point_of_another_overlay_can_go_on_after_pruning(tree):
    """Seven of its iterations are trained. The next is sampled from policy 5 where the policy is renewed every 5."""
    other = "m/renewed-every-5/L8/seed0"
    for point, iterations in ((POINT, 2), (other, 7)):
        for i in range(1, iterations + 1):
            tree.add_policy(i, point=point)
        tree.finish(iterations, point=point)
    scratch = tree.results / other / ".scratch" / "a"
    scratch.mkdir(parents=True)
    blocks = {Point.from_path(POINT): {"iterations": 2, "benchmarks": ["b"], "refresh_every": 1}}
    dropped = [path.relative_to(tree.results).as_posix() for path, _ in prune_points(str(tree.results), blocks, "last")]
    assert dropped == weights(1)
    assert scratch.exists()
    policies = [tree.results / other / f"iter{i}/policy.json" for i in range(1, 8)]
    check_uses([Use(parent=policies[-1]), *(Use(samples=policy) for policy in policies)])


def test_a_copied_forward_policy_keeps_the_folders_that_it_points_at(tree):
    tree.add_policy(1)
    tree.add_policy(2)
    tree.add_policy(3, copy_of=2)
    tree.finish(3)
    assert tree.dropped() == weights(1)
    assert checkpoint_of(tree.results / POINT / "iter3/policy.json") == tree.results / POINT / "iter2/policy"


def test_a_copy_of_the_base_model_needs_no_weights(tree):
    tree.add_policy(1)
    manifest = tree.results / POINT / "iter2/policy.json"
    write_json(manifest, {"path": None, "files": {}, "optimizer": None})
    tree.finish(2)
    assert tree.dropped(2) == weights(1)


def test_nothing_is_dropped_from_an_empty_tree(tree):
    assert tree.dropped() == []


def test_scratch_of_a_point_that_trains_no_more_is_abandoned(tree):
    for i in (1, 2):
        tree.add_policy(i)
    left = tree.results / POINT / ".scratch" / "a"
    (left / "state").mkdir(parents=True)
    results, point, block = str(tree.results), Point.from_path(POINT), {"benchmarks": ["b"], "iterations": 2}
    assert abandoned_scratch(results, point, block) == [left]
    assert abandoned_scratch(results, point, {**block, "iterations": 3}) == []
    assert abandoned_scratch(results, point, block, [Use(writes=tree.manifest(2))]) == []
    tree.manifest(1).unlink()
    assert abandoned_scratch(results, point, block) == []


def test_scratch_that_a_living_process_holds_is_not_abandoned(tmp_path):
    left = tmp_path / POINT / ".scratch" / "a"
    write_json(tmp_path / POINT / "iter1/policy.json", {})
    held = Scratch(left)
    assert abandoned_scratch(str(tmp_path), Point.from_path(POINT), {"iterations": 1}) == []
    held.handle.close()
    assert abandoned_scratch(str(tmp_path), Point.from_path(POINT), {"iterations": 1}) == [left]
