"""Results on disk that the sweep does not name."""

from pathlib import Path

from opsft_flow.graph.outside import outside
from opsft_flow.graph.plan import Plan
from opsft_flow.weights.prune import points_on_disk
from tests.unit.example_config import change, example_config


def results(tmp_path: Path, **changes) -> Plan:
    """A plan over a results tree in which both points of the example have two iterations, measured on `easy` and `hard`."""
    for folder in [*(f"r/L{budget}/seed0/iter{i}" for budget in (12, 32) for i in (1, 2)), "base"]:
        for name in ("policy.json", "eval/easy/metrics.json", "eval/hard/metrics.json"):
            file = tmp_path / "m" / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    config = change(example_config(), "results", str(tmp_path))
    for key, value in changes.items():
        change(config, key, value)
    return Plan(config)


def test_a_whole_sweep_leaves_nothing_outside(tmp_path):
    assert outside(results(tmp_path)) == []


def test_folders_that_are_no_points_are_passed_over(tmp_path):
    plan = results(tmp_path)
    for name in ("L12-old/seed0", "L12/seed0.bak", "L12/seed", "L012/seed0", "L/seed0"):
        (tmp_path / "m/r" / name / "iter1").mkdir(parents=True)
        (tmp_path / "m/r" / name / "iter1/policy.json").touch()
    assert outside(plan) == []
    assert points_on_disk(str(tmp_path)) == list(plan.points)


def test_a_dropped_budget_is_named_with_its_iterations(tmp_path):
    assert outside(results(tmp_path, **{"sweep.0.budgets": [32, 40]})) == [("m/r/L12/seed0", "iterations 1, 2")]


def test_a_renamed_recipe_leaves_its_points_outside(tmp_path):
    recipe = example_config()["recipes"]["r"]
    plan = results(tmp_path, recipes={"s": recipe}, **{"sweep.0.recipes": ["s"]})
    assert [name for name, _ in outside(plan)] == ["m/r/L12/seed0", "m/r/L32/seed0"]


def test_later_iterations_and_other_benchmarks_of_a_point_are_named(tmp_path):
    plan = results(tmp_path, **{"recipes.r.iterations": 1, "sweep.0.benchmarks": ["easy"]})
    left = "iterations 2; benchmarks hard"
    assert outside(plan) == [("m/r/L12/seed0", left), ("m/r/L32/seed0", left), ("m/base", "benchmarks hard")]


def test_a_model_that_is_no_longer_swept_is_outside_with_its_base(tmp_path):
    plan = results(tmp_path, models={"n": {"source": "owner/other"}}, **{"sweep.0.models": ["n"]})
    assert [name for name, _ in outside(plan)] == ["m/r/L12/seed0", "m/r/L32/seed0", "m/base"]
