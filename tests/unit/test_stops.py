"""Which decisions to stop are taken, which stand, and what the nodes of a stopped point do."""

import fnmatch
import json
import pathlib
import re
import runpy
import sys
from unittest import mock

import pytest

from opsft_flow.errors import ConfigError
from opsft_flow.files import read_json, write_json
from opsft_flow.graph.plan import Plan
from opsft_flow.graph.stops import Gate
from opsft_flow.points import Point
from opsft_flow.tables import ROLLOUT, read_table, write_table
from tests.unit.example_config import change, example_config
from tests.unit.sft_node import make_point, run_sft
from tests.unit.test_plan import all_settings, differing

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "workflow" / "scripts"
POINT = Point("m", "r", 12, 0)
NONE, STANDS, OPEN = Gate.NONE, Gate.STANDS, Gate.OPEN
STOPPED = {"rule": "kept_share_below", "iteration": 2, "message": "too little"}


def under(share: float) -> dict:
    """A rule that stops after one batch of which less than `share` is kept; 0.5 are."""
    return {"kept_share_below": {"share": share, "patience": 1}}


NEVER, AT_ONCE, ON_ACCURACY = under(0.1), under(0.9), {"accuracy_below_base": {"benchmark": "easy", "patience": 1}}


@pytest.fixture
def config(tmp_path) -> dict:
    """One point of three iterations, whose accuracy is below the base model's from policy 2 on."""
    config = change(example_config(), "results", str(tmp_path))
    change(config, "sweep.0.budgets", [12])
    return change(config, "recipes.r.iterations", 3)


def plan_of(config: dict, rules: dict | None) -> Plan:
    return Plan(change(config, "recipes.r.stop", rules))


def write_results(plan: Plan, decisions: dict[int, dict | None] | None = None) -> None:
    """All results of the point as the sweep leaves them; `decisions` are those that stand before each training."""

    def write(file: str, settings: str, content: dict) -> None:
        write_json(plan.path(file), content)
        write_json(plan.path(f"{file.removesuffix('.json')}.run.json"), {"settings": json.loads(settings)})

    write("m/base/policy.json", plan.base_settings("m"), {})
    write("problems/train.json", plan.problem_settings("train"), {})
    for i in plan.iterations(POINT):
        folder, train = f"{POINT.path}/iter{i}", f"{POINT.path}/iter{i}/train"
        write(f"{train}/rollouts.json", plan.generate_settings(train), {})
        write(f"{train}/verdicts.json", plan.verify_settings(train), {})
        write(f"{train}/filter.json", plan.filter_settings(POINT.path, i), {"kept_share": 0.5})
        stopped = (decisions or {}).get(i)
        write(f"{folder}/policy.json", plan.sft_settings(POINT.path, i), {"stopped": stopped})
        write_json(
            plan.path(f"{folder}/eval/easy/metrics.json"),
            {"difference": {"accuracy": {"value": 0.0, "low": -0.1, "high": 0.1 if i == 1 else -0.1}}},
        )
        if decisions is not None:
            write_json(plan.path(f"{folder}/stop.json"), {"stopped": stopped})


def gates(plan: Plan) -> list[Gate]:
    return [plan.gate(POINT, i) for i in plan.iterations(POINT)]


def test_without_rules_there_are_no_gates_and_with_them_all_are_open_at_first(config):
    assert gates(plan_of(config, None)) == gates(plan_of(config, {})) == [NONE] * 3
    assert gates(plan_of(config, NEVER)) == [OPEN] * 3


def test_rules_that_are_not_set_change_no_settings(config):
    before = all_settings(config)
    assert all_settings(change(config, "recipes.r.stop", {"length_plateau": None})) == before
    changed = differing(before, all_settings(change(config, "recipes.r.stop", NEVER)))
    assert changed == {*fnmatch.filter(before, "track *"), "timings", "page"}


def test_what_was_trained_without_a_rule_that_would_not_have_held_needs_none(config):
    write_results(plan_of(config, None))
    assert gates(plan_of(config, NEVER)) == [NONE] * 3


def test_a_rule_that_is_added_acts_from_the_first_iteration_at_which_it_holds(config):
    write_results(plan_of(config, None))
    assert gates(plan_of(config, AT_ONCE)) == [OPEN] * 3
    # Policy 2 is below the base model: training 3 is asked.
    assert gates(plan_of(config, ON_ACCURACY)) == [NONE, NONE, OPEN]


def test_decisions_stand_while_the_rules_of_today_would_take_them(config):
    write_results(plan_of(config, NEVER), decisions={1: None, 2: None, 3: None})
    assert gates(plan_of(config, NEVER)) == gates(plan_of(config, under(0.2))) == [STANDS] * 3
    assert gates(plan_of(config, None)) == [STANDS] * 3
    assert gates(plan_of(config, ON_ACCURACY)) == [STANDS, STANDS, OPEN]


def test_a_point_that_has_stopped_stays_so_until_its_rules_are_changed(config):
    write_results(plan_of(config, ON_ACCURACY), decisions={1: None, 2: None, 3: STOPPED})
    assert gates(plan_of(config, ON_ACCURACY)) == [STANDS] * 3
    assert gates(plan_of(config, NEVER)) == [STANDS, STANDS, OPEN]
    assert gates(plan_of(config, None)) == [STANDS, STANDS, NONE]


def test_another_evaluation_takes_no_decision_again_before_it_has_been_made(config):
    write_results(plan_of(config, ON_ACCURACY), decisions={1: None, 2: None, 3: STOPPED})
    change(config, "evaluate.resamples", 777)
    assert gates(plan_of(config, ON_ACCURACY)) == [STANDS] * 3
    metrics = {"difference": {"accuracy": {"value": 0.0, "low": -0.1, "high": 0.0}}}
    write_json(Plan(config).path(f"{POINT.path}/iter2/eval/easy/metrics.json"), metrics)
    assert gates(plan_of(config, ON_ACCURACY)) == [STANDS, STANDS, OPEN]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("recipes.r.sft.lr", 0.5),
        ("recipes.r.rollouts.samples", 3),
        ("recipes.r.filter.rule", "shortest_k"),
        ("problems.train.verifier", "exact"),
        ("problems.train.seed", 1),
        ("models.m.revision", "v2"),
    ],
)
@pytest.mark.parametrize("decisions", [None, {1: None, 2: None, 3: None}], ids=["added", "taken"])
def test_what_is_trained_again_is_decided_again(config, key, value, decisions):
    write_results(plan_of(config, NEVER), decisions)
    assert OPEN not in gates(plan_of(config, NEVER))
    assert gates(plan_of(change(config, key, value), NEVER)) == [OPEN] * 3


@pytest.mark.parametrize("missing", ["iter2/policy.json", "iter2/stop.json", "iter1/eval/easy/metrics.json"])
def test_what_is_missing_opens_the_gate_and_all_that_follow_from_it(config, missing):
    rules = {**ON_ACCURACY, "accuracy_below_base": {"benchmark": "easy", "patience": 2}}
    write_results(plan_of(config, rules), decisions={1: None, 2: None, 3: None})
    pathlib.Path(Plan(config).path(f"{POINT.path}/{missing}")).unlink()
    found = gates(plan_of(config, rules))
    # Without its file a decision that would be to go on is as one that was never asked for.
    assert found == ([STANDS, NONE, STANDS] if "stop" in missing else [STANDS, OPEN, OPEN])


def test_gates_are_those_of_the_graph_whatever_has_been_run_since(config):
    plan = plan_of(config, NEVER)
    assert gates(plan) == [OPEN] * 3
    write_results(plan, decisions={1: None, 2: None, 3: None})
    assert gates(plan) == [OPEN] * 3


def test_what_the_nodes_read_where_rules_are_set(config, tmp_path):
    plan, folder = plan_of(config, {**ON_ACCURACY, **under(0.1)}), f"{tmp_path}/{POINT.path}"
    assert plan.decision(POINT.path, 1) == [f"{folder}/iter1/stop.json"]
    assert plan.decision(POINT.path, 0) == []
    assert plan.stop_inputs(POINT.path, 1) == [f"{folder}/iter1/train/filter.json"]
    assert plan.stop_inputs(POINT.path, 3) == [
        f"{folder}/iter2/stop.json",
        f"{folder}/iter3/train/filter.json",
        f"{folder}/iter2/eval/easy/metrics.json",
    ]
    assert plan.measured_before(f"{POINT.path}/iter3/eval/easy") == [f"{folder}/iter2/eval/easy/rollouts.parquet"]
    assert plan.measured_before(f"{POINT.path}/iter1/eval/easy") == [f"{tmp_path}/m/base/eval/easy/rollouts.parquet"]
    assert plan.measured_before(f"{POINT.path}/iter3/train") == plan.measured_before("m/base/eval/easy") == []
    assert re.fullmatch(plan.undecided_pattern(), f"{POINT.path}/iter3")
    assert not re.fullmatch(plan_of(config, None).undecided_pattern(), f"{POINT.path}/iter3")
    assert plan_of(config, None).measured_before(f"{POINT.path}/iter3/eval/easy") == []


def test_a_benchmark_that_is_measured_seldom_looks_up_whether_the_policy_was_measured_before(config, tmp_path):
    change(config, "benchmarks.hard.every", 2)
    seldom = plan_of(change(config, "recipes.r.iterations", 5), {**ON_ACCURACY, **under(0.1)})

    def looked_up(iteration: int) -> list[list[str]]:
        place = f"{POINT.path}/iter{iteration}/eval/hard"
        return [seldom.measured_before(place), seldom.stopped_before(place)]

    folder = f"{tmp_path}/{POINT.path}"
    measured = [
        f"{path}/eval/hard/rollouts.parquet" for path in (f"{tmp_path}/m/base", f"{folder}/iter2", f"{folder}/iter4")
    ]
    assert looked_up(2) == [measured[:1], [f"{folder}/iter1/policy.json"]]
    assert looked_up(4) == [measured[1:2], [f"{folder}/iter3/policy.json"]]
    # The policy of the last iteration is the one after that of iteration 4: its own manifest says whether it was trained.
    assert looked_up(5) == [measured[2:], []]
    without = plan_of(config, None)
    assert without.measured_before(f"{POINT.path}/iter4/eval/hard") == []
    assert without.stopped_before(f"{POINT.path}/iter4/eval/hard") == []


def test_a_stop_is_looked_up_where_an_older_policy_is_sampled(config):
    def looked_up(rules: dict | None, refresh_every: int | None) -> list[list[str]]:
        plan = plan_of(change(config, "recipes.r.rollouts.refresh_every", refresh_every), rules)
        return [plan.stopped_before(f"{POINT.path}/iter{i}/train") for i in (1, 2, 3)]

    folder = Plan(config).path(POINT.path)
    assert looked_up(NEVER, None) == [[], [f"{folder}/iter1/policy.json"], [f"{folder}/iter2/policy.json"]]
    assert looked_up(NEVER, 2) == [[], [f"{folder}/iter1/policy.json"], []]
    assert looked_up(NEVER, 1) == looked_up(None, None) == [[], [], []]


def test_nothing_is_sampled_of_an_older_policy_once_the_point_has_stopped(tmp_path):
    write_json(tmp_path / "policy.json", {"stopped": None})
    write_json(tmp_path / "parent.json", {"stopped": STOPPED})
    given = {"serving": "{}", "budget": "none", "policy": tmp_path / "policy.json", "problems": "none"}
    given |= {"shard": "all", "shards": 1, "measured": "none", "stopped": tmp_path / "parent.json"}
    settings = {"rollouts": {"max_tokens": 8}}
    run("generate", settings, **given, rollouts=tmp_path / "rollouts.parquet", run=tmp_path / "run.json")
    assert read_table(tmp_path / "rollouts.parquet", ROLLOUT) == []


def test_a_benchmark_that_a_point_is_not_measured_on_is_refused(config):
    with pytest.raises(ConfigError, match=r"recipes\.r\.stop\.length_plateau\.benchmark: 'nope' is not among sweep\.0"):
        plan_of(config, {"length_plateau": {"change": 0.1, "benchmark": "nope"}})
    with pytest.raises(ConfigError, match=r"recipes\.r\.stop\.accuracy_below_base: 'benchmark' is missing"):
        plan_of(config, {"accuracy_below_base": {"patience": 3}})


def run(script: str, settings: dict, **arguments) -> None:
    """Run the script of a node in this process."""
    options = [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
    with mock.patch.object(sys, "argv", [script, "--settings", json.dumps(settings), *options]):
        runpy.run_path(str(SCRIPTS / f"{script}.py"), run_name="__main__")


def test_the_node_decides_from_what_was_measured_and_a_stop_is_handed_on(config, monkeypatch):
    plan = plan_of(config, ON_ACCURACY)
    write_results(plan)
    for i, before in ((2, "none"), (3, plan.path(f"{POINT.path}/iter2/stop.json"))):
        decision = plan.path(f"{POINT.path}/iter{i}/stop.json")
        settings = json.loads(plan.stop_settings(POINT.path, i))
        run("stop", settings, before=before, decision=decision, run=decision.replace(".json", ".run.json"))
    assert read_json(plan.path(f"{POINT.path}/iter2/stop.json")) == {"stopped": None}
    stopped = read_json(decision)["stopped"]
    assert (stopped["rule"], stopped["iteration"]) == ("accuracy_below_base", 2)
    run("stop", {**settings, "iteration": 4}, before=decision, decision=decision, run=f"{decision}.run.json")
    assert read_json(decision)["stopped"] == stopped


def test_the_plan_says_which_points_have_stopped_and_why(config, capsys):
    plan = plan_of(config, AT_ONCE)
    write_results(plan, decisions={1: None, 2: None, 3: STOPPED})
    with mock.patch.object(sys, "argv", ["plan", "--settings", plan.summary_settings()]):
        runpy.run_path(str(SCRIPTS / "plan.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{POINT.path}: 3 of 3 iterations done")
    assert lines[1] == "    stopped after iteration 2, kept_share_below: too little"


def test_a_stopped_point_trains_nothing_and_says_why(tmp_path, tiny_model):
    point = make_point(tmp_path, tiny_model)
    write_json(tmp_path / "go_on.json", {"stopped": None})
    write_json(tmp_path / "stop.json", {"stopped": STOPPED})
    trained = run_sft(point, 1, decision=tmp_path / "go_on.json")
    copied = run_sft(point, 2, decision=tmp_path / "stop.json")
    assert (trained["copied"], trained["stopped"]) == (False, None)
    assert (copied["copied"], copied["stopped"], copied["metrics"]) == (True, STOPPED, None)
    assert (copied["path"], copied["optimizer"]["path"]) == ("../iter1/policy", "../iter1/trainer")
    assert (copied["files"], copied["updates"]) == (trained["files"], trained["updates"])
    assert not (point / "iter2/policy").exists()


@pytest.mark.parametrize("shards", [1, 3])
def test_nothing_is_sampled_of_a_stopped_point(tmp_path, shards):
    write_json(tmp_path / "policy.json", {"stopped": STOPPED})
    row = {"problem_id": "p", "sample": 0, "response_ids": [1, 2], "tokens": 2, "finish_reason": "stop"}
    write_table(tmp_path / "before.parquet", [row], ROLLOUT)
    given = {"serving": "{}", "budget": "none", "policy": tmp_path / "policy.json", "problems": "none"}
    given |= {"shard": "all", "shards": shards, "stopped": "none"}
    for measured, expected in (("none", 0), (tmp_path / "before.parquet", 1)):
        given |= {"measured": measured, "rollouts": tmp_path / "rollouts.parquet", "run": tmp_path / "run.json"}
        run("generate", {"rollouts": {"max_tokens": 8}}, **given)
        assert len(read_table(tmp_path / "rollouts.parquet", ROLLOUT)) == expected
        assert read_json(tmp_path / "run.json")["run"]["shards"] == shards
    assert (tmp_path / "rollouts.parquet").read_bytes() == (tmp_path / "before.parquet").read_bytes()


def test_a_rule_that_reads_a_benchmark_after_each_iteration_refuses_one_that_is_measured_seldom(config):
    with pytest.raises(ConfigError, match=r"benchmarks\.easy\.every: found 2; allowed: 1, for recipes\.r\.stop\."):
        plan_of(change(config, "benchmarks.easy.every", 2), ON_ACCURACY)
