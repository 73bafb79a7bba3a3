"""What differs between the settings of a node then and now, in words."""

import json

import pytest

from opsft_flow.graph.plan import Plan
from opsft_flow.graph.setting_changes import changes
from tests.unit.example_config import change, example_config

TRAIN, EVAL, POINT = "m/r/L12/seed0/iter1/train", "m/r/L12/seed0/iter1/eval/easy", "m/r/L12/seed0"


def told(node: str, at: str, *where, folder="", **values) -> list[str]:
    """The changes of one node when values of the example configuration change; `where` are the arguments of its settings."""
    new = example_config()
    for key, value in values.items():
        change(new, key, value)
    old, new = (json.loads(getattr(Plan(c), f"{node}_settings")(*where)) for c in (example_config(), new))
    return changes(old, new, at, str(folder))


@pytest.mark.parametrize(
    ("node", "at", "where", "key", "value", "text"),
    [
        ("generate", TRAIN, (TRAIN,), "recipes.r.rollouts.samples", 4, "rollouts.samples: 32 -> 4"),
        ("generate", EVAL, (EVAL,), "benchmarks.easy.temperature", 0.5, "benchmarks.easy.temperature: 0.0 -> 0.5"),
        ("generate", EVAL, (EVAL,), "benchmarks.easy.max_tokens", 9, "benchmarks.easy.max_tokens: 200 -> 9"),
        ("generate", EVAL, (EVAL,), "engine.context", 310, "engine.context: 300 -> 310"),
        ("generate", EVAL, (EVAL,), "models.m.trust_remote_code", True, "models.m.trust_remote_code: false -> true"),
        ("verify", EVAL, (EVAL,), "verify.timeout_s", 7, "verify.timeout_s: 5.0 -> 7.0"),
        ("sft", f"{POINT}/iter1", (POINT, 1), "recipes.r.sft.lr", 0.5, "sft.lr: 1e-06 -> 0.5"),
        ("evaluate", EVAL, (EVAL,), "evaluate.resamples", 700, "evaluate.resamples: 10000 -> 700"),
        ("problem", "problems/train", ("train",), "problems.train.limit", 9, "problems.train.limit: 50 -> 9"),
        ("base", "m/base", ("m",), "models.m.revision", "v2", 'models.m.revision: none -> "v2"'),
        ("track", f"{POINT}/iter2", (POINT, 2), "recipes.r.sft.lr", 0.5, "sft.lr: 1e-06 -> 0.5"),
        ("comparison", "summary", (), "evaluate.level", 0.9, "evaluate.level: 0.95 -> 0.9"),
        ("summary", "summary", (), "benchmarks.easy.samples", 2, "benchmarks.easy.samples: 4 -> 2"),
    ],
)
def test_a_changed_key_is_named_as_in_the_configuration(node, at, where, key, value, text):
    assert told(node, at, *where, **{key: value}) == [text]


def test_another_selection_rule_is_told_with_its_options_and_its_code():
    then = [{"rule": "cap_per_prompt", "cap": 3}]
    where = ("filter", f"{POINT}/iter1", POINT, 1)
    assert told(*where, **{"recipes.r.filter.rule": "shortest_k", "recipes.r.filter.then": then}) == [
        'filter.rule: "correct_within" -> "shortest_k"',
        "filter.k: none -> 1",
        "filter.then.0.cap: none -> 3",
        'filter.then.0.rule: none -> "cap_per_prompt"',
        "code: opsft.selection.cap_per_prompt, opsft.selection.shortest_k now used, opsft.selection.correct_within no "
        "longer used",
    ]


def test_the_budget_of_a_schedule_is_named_by_the_schedule():
    at, config = "m/r/L-s/seed0/iter1/train", change(example_config(), "sweep.0.budgets", ["s"])
    configs = [{**config, "schedules": {"s": {"kind": "quantile", "start": start}}} for start in (90, 80)]
    old, new = (json.loads(Plan(config).generate_settings(at)) for config in configs)
    assert changes(old, new, at, "") == ["the budget of schedules.s: 90 -> 80"]


def test_points_added_and_dropped_are_named():
    assert told("summary", "summary", **{"sweep.0.budgets": [12, 40, 50]}) == [
        "added: m/r/L40/seed0 and 1 more points",
        "dropped: m/r/L32/seed0",
    ]


def test_what_changes_alike_in_every_point_is_told_once():
    assert told("summary", "summary", **{"recipes.r.iterations": 3}) == ["iterations: 2 -> 3"]


def test_long_values_are_cut():
    text = told("problem", "problems/train", "train", **{"problems.train.template": "{question}" + "x" * 100})[0]
    assert text.startswith("problems.train.template: ")
    assert text.endswith("xxx ...")
    assert len(text) == len("problems.train.template: ") + 2 * 60 + len(" -> ")


def test_settings_that_differ_in_nothing_that_is_told_say_so():
    old = {"node": "figures", "code": "a", "points": []}
    assert changes({**old, "empty": {}}, old, "summary", "") == ["its settings changed"]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (["easy"], ["easy", "hard"], "benchmarks.hard.samples: none -> 4"),
        (["easy", "hard"], ["easy"], "benchmarks.hard.samples: 4 -> none"),
    ],
)
def test_a_benchmark_that_is_added_or_dropped_has_a_reason(before, after, reason):
    configs = [change(example_config(), "sweep.0.benchmarks", names) for names in (before, after)]
    old, new = (json.loads(Plan(config).track_settings(POINT, 2)) for config in configs)
    texts = changes(old, new, f"{POINT}/iter2", "")
    assert texts[0] == f"benchmarks: {json.dumps(before)} -> {json.dumps(after)}"
    assert reason in texts
    assert not any("code" in text for text in texts)
