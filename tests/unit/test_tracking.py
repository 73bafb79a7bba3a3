"""A point's run in Weights & Biases: its identity, and its steps from the results tree."""

import re
import sys
import types
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsft_flow.files import write_json
from opsft_flow.graph.plan import Plan
from opsft_flow.points import Point
from opsft_flow.tracking import flatten, forget_later, outcome_of, run_identity, shortened, steps_of, write_run
from tests.unit.example_config import change, example_config

POINT = Point("m", "r", 12, 0)
STOPPED = {"rule": "kept_share_below", "iteration": 1, "message": "too little"}


def identity(**changes) -> dict:
    """The identity of a point's run under the example configuration with some values changed."""
    config = example_config()
    for key, value in changes.items():
        change(config, key, value)
    return run_identity("project", POINT, Plan(config).config_of(POINT))


def test_an_identity_is_short_readable_and_deterministic():
    first = identity()
    assert first == identity()
    assert re.fullmatch("[0-9a-f]{16}", first.pop("id"))
    assert first == {"name": "m/r/L12/seed0", "group": "m/r", "tags": ["m", "r", "budget 12", "seed 0"]}


def test_the_id_does_not_depend_on_the_order_of_keys():
    assert run_identity("p", POINT, {"a": 1, "b": 2}) == run_identity("p", POINT, {"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("recipes.r.iterations", 9),
        ("sweep.0.budgets", [12, 64]),
        ("sweep.0.seeds", [0, 1]),
        ("resources.sft.gpu", 1),
        ("track.mode", "disabled"),
        ("results", "elsewhere"),
    ],
)
def test_the_same_point_continues_its_run(key, value):
    assert identity(**{key: value})["id"] == identity()["id"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("recipes.r.sft.lr", 0.5),
        ("recipes.r.rollouts.samples", 3),
        ("problems.train.seed", 1),
        ("problems.easy-set.seed", 1),
        ("benchmarks.easy.samples", 5),
        ("models.m.revision", "v2"),
        ("engine.context", 400),
        ("verify.timeout_s", 1),
        ("evaluate.level", 0.9),
    ],
)
def test_a_point_with_other_settings_begins_another_run(key, value):
    assert identity(**{key: value})["id"] != identity()["id"]


def test_another_project_or_point_is_another_run():
    config = Plan(example_config()).config_of(POINT)
    ids = {run_identity(project, point, config)["id"] for project in "pq" for point in (POINT, Point("m", "r", 32, 0))}
    assert len(ids) == 4


def test_flatten_names_an_estimate_by_itself_and_leaves_out_what_is_no_number():
    estimate = {"value": 0.5, "low": 0.4, "high": None}
    metrics = {"accuracy": estimate, "tokens": {"mean": {"value": 3}}, "rule": "all", "flag": True, "none": None}
    assert flatten("eval/b", metrics) == {
        "eval/b/accuracy": 0.5,
        "eval/b/accuracy/low": 0.4,
        "eval/b/tokens/mean": 3,
    }


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.floats(allow_nan=False), max_size=5))
def test_flatten_loses_no_number(values):
    assert flatten("x", values) == {f"x/{key}": number for key, number in values.items()}


def metrics_of(accuracy: float, difference: float | None) -> dict:
    """A small metrics.json."""
    curve = [{"budget": 1, "value": 0.0, "low": 0.0, "high": 0.0}]
    against = None if difference is None else {"accuracy": {"value": difference}, "budget_curve": curve}
    return {"accuracy": {"value": accuracy}, "budget_curve": curve, "reasons": {"wrong": 1}, "difference": against}


def test_steps_are_the_base_model_and_then_every_iteration(tmp_path):
    write_json(tmp_path / "m/base/eval/b/metrics.json", metrics_of(0.5, None))
    for i, copied in ((1, False), (2, True)):
        folder = tmp_path / f"{POINT.path}/iter{i}"
        write_json(folder / "train/filter.json", {"kept": 10 * i, "rule": "all", "after": {"tokens_mean": None}})
        write_json(
            folder / "policy.json",
            {"metrics": None if copied else {"loss": 0.25}, "copied": copied, "stopped": STOPPED if copied else None},
        )
        write_json(folder / "eval/b/metrics.json", metrics_of(0.5 + i / 10, i / 10))
    assert steps_of(str(tmp_path), POINT, {"benchmarks": ["b"]}, 2) == [
        {"iteration": 0, "eval/b/accuracy": 0.5},
        {
            "iteration": 1,
            "filter/kept": 10,
            "sft/loss": 0.25,
            "sft/copied": 0.0,
            "sft/stopped": 0.0,
            "eval/b/accuracy": 0.6,
            "eval/b/difference/accuracy": 0.1,
        },
        {
            "iteration": 2,
            "filter/kept": 20,
            "sft/copied": 1.0,
            "sft/stopped": 1.0,
            "eval/b/accuracy": 0.7,
            "eval/b/difference/accuracy": 0.2,
        },
    ]
    assert len(steps_of(str(tmp_path), POINT, {"benchmarks": ["b"]}, 1)) == 2
    assert outcome_of(str(tmp_path), POINT, 1) == {}
    assert outcome_of(str(tmp_path), POINT, 2) == {f"stopped/{key}": value for key, value in STOPPED.items()}


def test_a_run_that_is_written_up_to_an_iteration_forgets_later_ones(tmp_path):
    files = [tmp_path / POINT.path / f"iter{i}" / "tracked.json" for i in (1, 2, 10)]
    others = [tmp_path / "m/r/L32/seed0/iter10/tracked.json", tmp_path / POINT.path / "iter10-old/tracked.json"]
    for file in [*files, *others]:
        write_json(file, {})
    forget_later(str(tmp_path), POINT, 2)
    assert [file.exists() for file in [*files, *others]] == [True, True, False, True, True]


class FakeRun:
    """What `write_run` does with a run of W&B: the folder, the arguments and the steps."""

    def __init__(self, number: int, **arguments) -> None:
        self.arguments, self.step, self.metrics, self.steps, self.summary = arguments, 0, [], [], {}
        self.segment = Path(arguments["dir"], "wandb", f"{arguments['mode']}-run-{number}-{arguments['id']}")
        self.dir = str(self.segment / "files")
        Path(self.dir).mkdir(parents=True)

    def define_metric(self, name, step_metric=None):
        self.metrics.append((name, step_metric))

    def log(self, values, step):
        self.steps.append((step, values["iteration"]))

    def finish(self):
        (self.segment / "run-x.wandb").touch()


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a run of so many steps and gives what it did, or None where there was nothing to write."""
    runs = []

    def init(**arguments):
        runs.append(FakeRun(len(runs), **arguments))
        return runs[-1]

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init, Settings=lambda **settings: settings))

    def written(steps: int, mode: str = "offline", run_id: str = "abc") -> FakeRun | None:
        values = [{"iteration": i, "often": i, **({} if i % 2 else {"seldom": i})} for i in range(steps)]
        payload = {"mode": mode, "project": "p", "entity": None, "folder": str(tmp_path), "config": {}, "timeout_s": 1}
        before = len(runs)
        write_run({**payload, "identity": {"id": run_id}, "steps": values, "summary": {"stopped/rule": "r"}})
        return runs[-1] if len(runs) > before else None

    return written


def sync(run: FakeRun) -> None:
    (run.segment / "run-x.wandb.synced").touch()


def test_a_segment_has_only_the_steps_that_were_not_sent_and_never_resumes(write):
    first = write(3)
    assert first.steps == [(0, 0), (1, 1), (2, 2)]
    assert first.arguments["resume"] is None
    assert first.metrics == [("iteration", None), ("*", "iteration")]
    sync(first)
    assert write(3) is None
    assert first.segment.exists()
    second = write(4)
    assert second.steps == [(3, 3)]
    assert second.summary == {"iteration": 3, "often": 3, "seldom": 2, "stopped/rule": "r"}
    # Not sent yet: written anew with the step that came after it.
    third = write(5)
    assert third.steps == [(3, 3), (4, 4)]
    assert not second.segment.exists()
    assert first.segment.exists()


def test_a_sent_segment_that_was_cleaned_away_stays_sent(write):
    first = write(2)
    sync(first)
    for file in sorted(first.segment.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    first.segment.rmdir()
    assert write(3).steps == [(2, 2)]


def test_another_run_of_the_point_begins_at_its_base_model(write):
    first = write(3)
    sync(first)
    assert write(3, run_id="other").steps == [(0, 0), (1, 1), (2, 2)]
    assert not first.segment.exists()


def test_what_was_sent_online_is_not_written_offline_again(write):
    unsent = write(2)
    online = write(3, mode="online")
    assert online.arguments["resume"] == "allow"
    assert not unsent.segment.exists()
    assert write(4).steps == [(3, 3)]


@pytest.mark.parametrize("length", [64, 65, 300])
def test_a_tag_is_as_short_as_wandb_wants_it_and_stays_its_own(length):
    tags = [shortened("r" * (length - 1) + end, 64) for end in "ab"]
    assert len(set(tags)) == 2
    assert all(len(tag) <= 64 for tag in tags)
    assert (tags[0] == "r" * 63 + "a") == (length == 64)
    recipe = Point("m", "r" * length, 12, 0)
    identity = run_identity("p", recipe, {})
    assert max(map(len, identity["tags"])) <= 64
    assert max(len(identity["name"]), len(identity["group"])) <= 128
