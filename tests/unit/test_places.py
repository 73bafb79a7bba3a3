"""The results tree: places, their policies and their paths."""

import re

import pytest

from opsft_flow.places import (
    PLACE_PATTERN,
    Place,
    iteration_folder,
    measured_on,
    parse_iteration,
    parse_place,
    policy_manifest,
    problem_file,
    sampled_policy,
    trained_iterations,
)
from opsft_flow.points import Point

POINT = Point("m", "r", 8, 1)
PLACES = {
    "m/base/eval/b": Place("m", None, 0, "b"),
    "m/r/L8/seed1/iter1/train": Place("m", POINT, 1, None),
    "m/r/L8/seed1/iter2/train": Place("m", POINT, 2, None),
    "m/r/L8/seed1/iter12/eval/b": Place("m", POINT, 12, "b"),
    "m/r/L8/seed1/iter1/eval/train": Place("m", POINT, 1, "train"),
    "m/r/L-8/seed1/iter1/train": Place("m", Point("m", "r", "8", 1), 1, None),
    "m/r/L-think-prune/seed1/iter1/eval/b": Place("m", Point("m", "r", "think-prune", 1), 1, "b"),
}


@pytest.mark.parametrize("path", PLACES)
def test_a_place_is_its_path(path):
    assert parse_place(path) == PLACES[path]
    assert PLACES[path].path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "m/base/train",
        "m/base/eval",
        "m/r/L8/seed1/train",
        "m/r/8/seed1/iter1/train",
        "m/r/Lx/seed1/iter1/train",
        "m/r/L8/seed1/iter1/eval/b/c",
    ],
)
def test_what_is_no_place_is_refused(path):
    with pytest.raises(ValueError, match="is not a folder of rollouts in the results tree"):
        parse_place(path)


def test_the_pattern_takes_whole_paths_only():
    assert all(re.fullmatch(PLACE_PATTERN, path) for path in PLACES)
    assert not re.fullmatch(PLACE_PATTERN, f"{POINT.path}/iter1")


def test_policy_0_of_every_point_is_the_base_model():
    assert policy_manifest("m", POINT, 0) == policy_manifest("m", None, 0) == "m/base/policy.json"
    assert policy_manifest("m", POINT, 3) == "m/r/L8/seed1/iter3/policy.json"


def test_the_folder_of_an_iteration_is_read_back():
    assert parse_iteration(iteration_folder(POINT, 12)) == (POINT.path, 12)


@pytest.mark.parametrize(
    ("refresh_every", "policies"),
    [(1, [0, 1, 2, 3, 4, 5]), (None, [0] * 6), (2, [0, 0, 2, 2, 4, 4]), (4, [0, 0, 0, 0, 4, 4])],
)
def test_training_samples_the_policy_that_was_current_when_it_was_last_renewed(refresh_every, policies):
    assert [sampled_policy(i, refresh_every) for i in range(1, 7)] == policies


def test_a_benchmark_is_measured_after_every_so_many_iterations_and_after_the_last():
    block = {"benchmarks": ["often", "seldom"], "every": {"seldom": 3}, "iterations": 7}
    measured = [i for i in range(1, 8) if "seldom" in measured_on(block, i)]
    assert measured == [3, 6, 7]
    assert all("often" in measured_on(block, i) for i in range(1, 8))
    assert measured_on({"benchmarks": ["often"]}, 5) == ["often"]


def test_other_paths():
    assert iteration_folder(POINT, 4) == "m/r/L8/seed1/iter4"
    assert problem_file("gsm8k") == "problems/gsm8k.parquet"


def test_the_iterations_that_have_been_trained_are_those_with_a_policy_in_order(tmp_path):
    for name in ("iter10", "iter9", "iter1", "iter01", "iter3.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.json").touch()
    (tmp_path / "iter11").mkdir()
    assert trained_iterations(tmp_path) == [1, 9, 10]
