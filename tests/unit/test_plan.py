"""What each node reads, and that its settings change with what it uses and with nothing else."""

import copy
import fnmatch
import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsft_flow.errors import ConfigError
from opsft_flow.files import write_json
from opsft_flow.graph import node_settings as subject
from opsft_flow.graph.code_hash import code_hash, read_code
from opsft_flow.graph.node_settings import canonical
from opsft_flow.graph.plan import Plan
from opsft_flow.points import Point
from tests.unit.example_config import change, example_config

A, B = Point("m", "r", 12, 0), Point("m", "r", 32, 0)


def test_results_may_begin_with_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert Plan(change(example_config(), "results", "~/sweep/")).results == "/home/me/sweep"


@pytest.fixture(scope="module")
def original() -> dict[str, str]:
    return all_settings(example_config())


def all_settings(config: dict) -> dict[str, str]:
    """The settings of every node of a sweep, by "kind where"."""
    plan = Plan(config)
    places = [
        f"{point.path}/iter{i}/eval/{name}"
        for point in plan.points
        for i in plan.iterations(point)
        for name in plan.points[point]
    ]
    places += plan.base_places()
    training = [f"{point.path}/iter{i}/train" for point in plan.points for i in plan.iterations(point)]
    nodes = {f"problems {name}": plan.problem_settings(name) for name in plan.problem_sets()}
    nodes |= {f"base {model}": plan.base_settings(model) for model in plan.models}
    nodes |= {f"generate {place}": plan.generate_settings(place) for place in places + training}
    nodes |= {f"verify {place}": plan.verify_settings(place) for place in places + training}
    nodes |= {f"evaluate {place}": plan.evaluate_settings(place) for place in places}
    for kind in ("filter", "sft", "track"):
        make = getattr(plan, f"{kind}_settings")
        nodes |= {f"{kind} {p.path}/iter{i}": make(p.path, i) for p in plan.points for i in plan.iterations(p)}
    return nodes | {
        "check": plan.check_settings(),
        "summary": plan.summary_settings(),
        "compare": plan.comparison_settings(),
        "timings": plan.timing_settings(),
        "figures": plan.figure_settings(),
        "page": plan.page_settings(),
    }


def differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """The nodes of both sweeps whose settings are not the same."""
    return {name for name in before.keys() & after.keys() if before[name] != after[name]}


CHANGES = [
    ("recipes.r.sft.lr", 0.5, ["sft *", "track *"]),
    ("recipes.r.sft.optimizer_state", "reset", ["sft *", "track *"]),
    ("recipes.r.sft.updates", 2, ["sft *", "summary", "track *"]),
    ("recipes.r.sft.epochs", 2, ["sft *", "summary", "track *"]),
    ("recipes.r.sft.give_up_after", 7, []),
    ("recipes.r.sft.optimizer", "adamw_8bit", ["sft *", "track *"]),
    ("recipes.r.sft.lora", {"rank": 4, "alpha": 8}, ["check", "sft *", "track *"]),
    ("warm.engine", "always", []),
    ("warm.imports", False, []),
    ("resources.generate.engines_per_gpu", 2, []),
    ("resources.generate.shards", 2, []),
    ("resources.sft.gpu", 2, []),
    ("resources.gpu_shares", 2, []),
    ("recipes.r.sft.checkpoint_every", 7, []),
    ("recipes.r.filter.rule", "correct", ["filter *", "track *"]),
    ("recipes.r.filter.k", 1, []),
    ("recipes.r.filter", {"rule": "shortest_k", "k": 3}, ["filter *", "track *"]),
    ("recipes.r.filter.then", [{"rule": "below_mean"}], ["filter *", "track *"]),
    ("recipes.r.rollouts.refresh_every", None, ["generate */iter2/train", "summary", "track *", "page"]),
    ("replay", [{"rule": "all"}], []),
    ("schedules.unused", {"kind": "steps", "budgets": [20]}, []),
    ("recipes.r.rollouts.prompts", 5, ["check", "generate */train", "track *"]),
    ("recipes.r.rollouts.samples", 5, ["generate */train", "track *"]),
    ("recipes.r.rollouts.temperature", 0.5, ["generate */train", "summary", "track *"]),
    ("recipes.r.rollouts.logprobs", False, ["generate */train", "track *"]),
    ("recipes.r.iterations", 3, ["summary", "compare", "timings", "page"]),
    ("engine.max_sequences", 7, ["generate *", "track *"]),
    ("engine.name", "vllm", ["check", "generate *", "track *"]),
    ("engine.context", 301, ["generate *", "check", "track *"]),
    ("engine.gpu_memory_utilization", 0.5, ["track *"]),
    ("models.m.engine.max_sequences", 7, ["check", "generate *", "track *"]),
    ("models.m.revision", "v2", ["base m", "check", "track *"]),
    ("models.m.trust_remote_code", True, ["base m", "check", "generate *", "sft *", "track *"]),
    ("models.m.plain_prompts", True, ["check", "generate *", "track *"]),
    ("models.m.thinking", ["[THINK]", "[/THINK]"], ["check", "generate *", "verify *", "track *"]),
    ("problems.train.seed", 1, ["check", "problems train", "track *"]),
    ("problems.train.verifier", "exact", ["check", "verify */train", "track *"]),
    ("problems.train.filter", {"level": [3]}, ["check", "problems train", "track *"]),
    ("problems.train.duplicates", "drop", ["check", "problems train", "track *"]),
    ("problems.train.remove_overlap", ["easy-set"], ["check", "problems train", "track *"]),
    ("problems.train.overlap_share", 0.5, ["check", "track *"]),
    ("problems.easy-set.template", "Add: {question}", ["check", "problems easy-set", "track *"]),
    ("problems.easy-set.verifier", "exact", ["check", "verify */eval/easy", "track *"]),
    ("benchmarks.easy.temperature", 0.5, ["generate */eval/easy", "summary", "track *"]),
    ("benchmarks.easy.logprobs", True, ["generate */eval/easy", "summary", "track *"]),
    ("benchmarks.easy.samples", 5, ["generate */eval/easy", "summary", "track *"]),
    (
        "benchmarks.easy.max_tokens",
        99,
        ["check", "generate */eval/easy", "evaluate */eval/easy", "summary", "compare", "track *"],
    ),
    ("verify.timeout_s", 1, ["verify *", "track *", "check"]),
    ("evaluate.level", 0.9, ["compare", "evaluate *", "track *"]),
    ("evaluate.g_pass_k", [2], ["evaluate *", "track *"]),
    ("evaluate.reach", [0.5], ["evaluate *", "track *"]),
    ("track.mode", "online", ["timings", "page", "track *"]),
    ("results", "elsewhere", ["track *", "summary", "compare", "timings", "page"]),
    ("resources.sft.gpu", 1, []),
    ("resources.generate.shards", 3, []),
    ("sweep.0.budgets", [12, 32, 64], ["check", "summary", "compare", "timings", "page"]),
    ("sweep.0.seeds", [0, 1], ["summary", "compare", "timings", "page"]),
    ("sweep.0.budgets", [12], ["check", "summary", "compare", "timings", "page"]),
    ("models.unused", {"source": "owner/other"}, []),
]


@pytest.mark.parametrize(("key", "value", "expected"), CHANGES, ids=[f"{key}={value}" for key, value, _ in CHANGES])
def test_a_change_reaches_the_nodes_that_use_it_and_no_others(key, value, expected, original):
    after = all_settings(change(example_config(), key, value))
    matched = [fnmatch.filter(original.keys() & after.keys(), pattern) for pattern in expected]
    assert all(matched)
    assert differing(original, after) == set(itertools.chain.from_iterable(matched))


def test_settings_do_not_depend_on_how_the_configuration_is_written_down():
    def turned(value):
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    tables = {"summary": "", "compare": "", "timings": "", "page": ""}
    assert all_settings(turned(example_config())) | tables == all_settings(example_config()) | tables
    written_out = change(example_config(), "benchmarks.easy.temperature", 0)
    assert all_settings(written_out) == all_settings(example_config())


@pytest.mark.parametrize("written", ["results", "results/", "./results"])
def test_the_results_folder_is_the_same_however_it_is_written(written):
    config = change(example_config(), "results", written)
    assert Plan(config).policy_of("m/base/eval/easy") == "results/m/base/policy.json"
    assert all_settings(config) == all_settings(example_config())


def test_no_two_nodes_have_the_same_settings():
    settings = all_settings(example_config())
    assert all(a != b for a, b in itertools.combinations(settings.values(), 2))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=3), values, max_size=5), st.randoms())
def test_canonical_json_is_independent_of_the_order_of_keys(value, rng):
    keys = list(value)
    rng.shuffle(keys)
    assert canonical({key: value[key] for key in keys}) == canonical(value)
    assert json.loads(canonical(value)) == value


def test_canonical_json_refuses_what_json_cannot_hold():
    assert canonical({"b": 1, "a": [1.5, None]}) == '{"a":[1.5,null],"b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})


def test_what_the_nodes_read():
    plan = Plan(example_config())
    assert plan.policy_of(f"{A.path}/iter1/train") == "results/m/base/policy.json"
    assert plan.policy_of(f"{A.path}/iter1/eval/easy") == f"results/{A.path}/iter1/policy.json"
    assert plan.problems_of(f"{A.path}/iter1/train") == "results/problems/train.parquet"
    assert plan.problems_of("m/base/eval/hard") == "results/problems/hard-set.parquet"
    assert plan.parent_policy(A.path, 1) == "results/m/base/policy.json"
    assert plan.parent_policy(A.path, 2) == f"results/{A.path}/iter1/policy.json"
    assert plan.base_place("m/base/eval/easy") is None
    assert plan.base_place(f"{A.path}/iter2/eval/easy") == "m/base/eval/easy"
    assert plan.base_metrics(A.path) == [f"results/m/base/eval/{name}/metrics.json" for name in ("easy", "hard")]


@pytest.mark.parametrize(("refresh_every", "policies"), [(1, [0, 1, 2, 3]), (2, [0, 0, 2, 2]), (None, [0, 0, 0, 0])])
def test_training_rollouts_come_from_the_policy_that_refreshing_leaves_and_differ_in_their_seeds(
    refresh_every, policies
):
    config = change(
        change(example_config(), "recipes.r.iterations", 4), "recipes.r.rollouts.refresh_every", refresh_every
    )
    plan = Plan(config)
    places = [f"{A.path}/iter{i}/train" for i in range(1, 5)]
    manifests = [f"results/{A.path}/iter{i}/policy.json" if i else "results/m/base/policy.json" for i in policies]
    assert [plan.policy_of(place) for place in places] == manifests
    settings = [json.loads(plan.generate_settings(place)) for place in places]
    assert [block["policy"] for block in settings] == policies
    assert [block["iteration"] for block in settings] == [1, 2, 3, 4]
    assert plan.policy_of(f"{A.path}/iter3/eval/easy") == f"results/{A.path}/iter3/policy.json"
    assert [plan.parent_policy(A.path, i) for i in (1, 3)] == [manifests[0], f"results/{A.path}/iter2/policy.json"]


def scheduled(**schedule) -> tuple[Plan, Point]:
    """A plan with one point of three iterations whose budget follows a schedule, and the point."""
    config = change(change(example_config(), "schedules.s", schedule), "sweep.0.budgets", ["s"])
    return Plan(change(config, "recipes.r.iterations", 3)), Point("m", "r", "s", 0)


def caps(plan: Plan, point: Point) -> list[tuple[int | None, int | None]]:
    """The budgets in the settings of generate and filter of each iteration."""
    return [
        (
            json.loads(plan.generate_settings(f"{point.path}/iter{i}/train"))["rollouts"]["max_tokens"],
            json.loads(plan.filter_settings(point.path, i))["budget"],
        )
        for i in plan.iterations(point)
    ]


def test_the_budgets_of_steps_are_in_the_settings_and_nothing_else_is_read():
    plan, point = scheduled(kind="steps", budgets=[40, 20], iterations=2)
    assert caps(plan, point) == [(40, 40), (40, 40), (20, 20)]
    assert [plan.budget_inputs(f"{point.path}/iter{i}/train") for i in (1, 2, 3)] == [[], [], []]
    assert json.loads(plan.filter_settings(point.path, 1))["schedule"] is None
    assert ["m", "train", 40, 300] in json.loads(plan.check_settings())["uses"]


def test_a_quantile_is_read_from_the_filter_of_the_iteration_before():
    plan, point = scheduled(kind="quantile", start=40, floor=5)
    assert caps(plan, point) == [(40, 40), (None, None), (None, None)]
    assert [plan.budget_inputs(f"{point.path}/iter{i}/train") for i in (1, 2, 3)] == [
        [],
        [f"results/{point.path}/iter1/train/filter.json"],
        [f"results/{point.path}/iter2/train/filter.json"],
    ]
    assert plan.budget_inputs(f"{point.path}/iter2/eval/easy") == []
    schedule = {"kind": "quantile", "start": 40, "floor": 5, "quantile": 0.9, "most_truncated": None}
    assert json.loads(plan.filter_settings(point.path, 1))["schedule"] == schedule
    assert ["m", "train", 40, 300] in json.loads(plan.check_settings())["uses"]


def test_a_step_that_changes_reaches_its_own_iterations_only():
    (before, point), (after, _) = (scheduled(kind="steps", budgets=[40, last], iterations=2) for last in (20, 30))
    changed = [i for i in (1, 2, 3) if before.filter_settings(point.path, i) != after.filter_settings(point.path, i)]
    assert changed == [3]
    assert before.config_of(point)["budget"] != after.config_of(point)["budget"]


def test_a_rule_is_tracked_with_the_options_that_it_reads():
    config = change(
        example_config(), "recipes.r.filter", {"rule": "reject_trivial", "k": 1, "then": [{"rule": "shortest_k"}]}
    )
    expected = [{"rule": "reject_trivial", "options": {}}, {"rule": "shortest_k", "options": {"k": 1}}]
    settings = json.loads(Plan(config).filter_settings(A.path, 1))
    assert settings["filter"] == expected
    assert settings["code"] == code_hash("filter", ("opsft.selection.reject_trivial", "opsft.selection.shortest_k"))
    assert Plan(config).config_of(A)["recipe"]["filter"] == expected


def test_a_rule_of_one_s_own_is_tracked_by_its_code_and_its_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "plan_own_rules.py"
    file.write_text("def keep(group, budget, options, rng):\n    return group.candidates\n")
    config = change(example_config(), "recipes.r.filter", {"rule": "plan_own_rules:keep", "options": {"a": 1}})
    settings = [json.loads(Plan(config).filter_settings(A.path, 1))]
    file.write_text("def keep(group, budget, options, rng):\n    return group.correct\n")
    read_code.cache_clear()
    settings.append(json.loads(Plan(config).filter_settings(A.path, 1)))
    assert settings[0]["filter"] == [{"rule": "plan_own_rules:keep", "options": {"a": 1}}]
    assert settings[0]["code"] != settings[1]["code"]
    assert all(block["code"].startswith(code_hash("filter")) for block in settings)
    assert Plan(config).made_with(A)["code"]["filter"] == settings[1]["code"]


def test_replay_takes_the_points_of_the_sweep_and_the_rules_of_the_configuration():
    settings = json.loads(Plan(change(example_config(), "replay", [{"rule": "shortest_k", "k": 2}])).replay_settings())
    assert settings == {
        "node": "replay",
        "results": "results",
        "summary": "summary",
        "points": [{**vars(point), "iterations": 2} for point in (A, B)],
        "replay": [[{"rule": "shortest_k", "options": {"k": 2}}]],
    }


def test_the_base_model_is_measured_once_for_the_whole_sweep():
    config = example_config()
    config["sweep"].append({**config["sweep"][0], "seeds": [1], "benchmarks": ["hard"]})
    assert Plan(config).base_places() == ["m/base/eval/easy", "m/base/eval/hard"]


def test_the_summary_reads_what_filter_sft_and_evaluate_measured():
    plan = Plan(example_config())
    inputs = plan.summary_inputs()
    # Base: 2 benchmarks. Each of 2 points: 2 iterations of filter, policy and 2 benchmarks.
    assert len(inputs) == len(set(inputs)) == 2 + 2 * 2 * 4
    assert plan.measurements(A, through=1) == [
        f"results/{A.path}/iter1/{file}"
        for file in ("train/filter.json", "policy.json", "eval/easy/metrics.json", "eval/hard/metrics.json")
    ]


def test_a_benchmark_that_is_measured_seldom_is_read_and_named_only_where_it_is():
    config = change(change(example_config(), "recipes.r.iterations", 5), "benchmarks.hard.every", 2)
    plan, often = Plan(config), Plan(change(example_config(), "recipes.r.iterations", 5))
    point = next(iter(plan.points))
    read = [file for file in plan.measurements(point) if "eval/hard" in file]
    assert read == [f"results/{point.path}/iter{i}/eval/hard/metrics.json" for i in (2, 4, 5)]
    assert sum("eval/easy" in file for file in plan.measurements(point)) == 5
    place = f"{point.path}/iter2/eval/hard"
    for settings in ("generate_settings", "verify_settings", "evaluate_settings"):
        assert getattr(plan, settings)(place) == getattr(often, settings)(place)
    assert plan.config_of(point) == often.config_of(point)


def test_points_are_compared_after_their_last_iteration_only():
    inputs = Plan(example_config()).comparison_inputs()
    places = ["m/base", f"{A.path}/iter2", f"{B.path}/iter2"]
    tables = [f"eval/{name}/{table}.parquet" for name in ("easy", "hard") for table in ("rollouts", "verdicts")]
    assert inputs == [f"results/{place}/{table}" for place in places for table in tables]


@pytest.mark.parametrize(("mode", "tracked"), [("online", [1, 2]), ("offline", [2]), ("disabled", [2])])
def test_a_run_is_written_after_every_iteration_only_when_online(mode, tracked):
    plan = Plan(change(example_config(), "track.mode", mode))
    assert plan.tracked_iterations(A) == tracked
    assert plan.tracked() == [f"results/{point.path}/iter2/tracked.json" for point in (A, B)]


def test_every_node_before_the_tables_has_a_result_among_the_targets():
    plan = Plan(example_config())
    every = plan.every_result()
    # 2 base places with 3 files each, the base model and the problem sets; of each of 2 iterations of 2 points: rollouts and verdicts
    # of training, the two files of the filter, the policy, and 3 files for each of 2 benchmarks; and the tracking of each point.
    assert len(every) == len(set(every)) == 2 * 3 + 1 + len(plan.problem_sets()) + 2 * 2 * (5 + 2 * 3) + 2
    assert {*plan.shared(), *plan.summary_inputs(), *plan.tracked()} <= set(every)


def test_a_tracking_node_reads_what_was_measured_since_the_one_before():
    every = Plan(example_config()).measurements(A)
    offline = Plan(change(example_config(), "track.mode", "offline")).track_inputs(A.path, 2)
    assert (offline["measured"], offline["before"]) == (every, [])
    online = Plan(change(example_config(), "track.mode", "online"))
    first, second = online.track_inputs(A.path, 1), online.track_inputs(A.path, 2)
    assert (first["measured"], first["before"]) == (every[:4], [])
    assert (second["measured"], second["before"]) == (every[4:], [f"results/{A.path}/iter1/tracked.json"])


def test_an_unknown_built_in_task_and_a_missing_model_are_refused():
    with pytest.raises(
        ConfigError, match=r"problems\.train\.source: built-in task 'sudoku' is unknown; allowed: arith"
    ):
        Plan(change(example_config(), "problems.train.source", "builtin:sudoku"))
    with pytest.raises(ConfigError, match=r"models\.m\.source: './nowhere' does not exist"):
        Plan(change(example_config(), "models.m.source", "./nowhere"))


def test_replaced_weights_change_the_settings_of_the_base_model_and_of_its_runs(tmp_path):
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_text("1")
    config = change(example_config(), "models.m.source", str(tmp_path))
    before = all_settings(config)
    (tmp_path / "model.safetensors").write_text("2")
    runs = {f"track {point.path}/iter{i}" for point in (A, B) for i in (1, 2)}
    assert differing(before, all_settings(config)) == {"base m", "check", *runs}


def test_replaced_problems_change_the_settings_of_their_set_and_of_the_check(tmp_path):
    file = tmp_path / "sums.jsonl"
    file.write_text('{"question": "1 + 1", "answer": "2"}\n')
    config = change(example_config(), "problems.easy-set", {"source": str(file), "verifier": "integer"})
    before = all_settings(config)
    file.write_text('{"question": "1 + 2", "answer": "3"}\n')
    assert differing(before, all_settings(config)) == {"problems easy-set", "check"}


# A run holds the code of all that made its numbers, the verifiers of its benchmarks among them.
@pytest.mark.parametrize(
    ("name", "expected"),
    [("easy-set", ["check", "track *", "verify */eval/easy"]), ("train", ["check", "track *", "verify */train"])],
)
def test_an_edited_verifier_grades_again_and_prepares_no_problem_set_again(name, expected, monkeypatch):
    config = change(example_config(), f"problems.{name}.verifier", "exact")
    before = all_settings(config)

    def edited(script: str, modules: tuple[str, ...] = ()) -> str:
        return code_hash(script, modules) + ("/edited" if "opsft.verify.exact" in modules else "")

    monkeypatch.setattr(subject, "code_hash", edited)
    matched = [fnmatch.filter(before, pattern) for pattern in expected]
    assert all(matched)
    assert differing(before, all_settings(config)) == set(itertools.chain.from_iterable(matched))


def test_the_settings_of_a_problem_set_do_not_name_its_verifier():
    settings = json.loads(Plan(example_config()).problem_settings("train"))
    block = Plan(example_config()).config["problems"]["train"]
    assert settings["problems"] == {key: block[key] for key in block if key not in ("verifier", "overlap_share")}
    assert settings["code"] == code_hash("problems", ("opsft.tasks.arithmetic",))


def test_a_problem_set_waits_for_those_that_it_is_kept_apart_from_and_for_no_others():
    assert Plan(example_config()).sets_apart("train") == []
    config = change(example_config(), "problems.train.remove_overlap", ["easy-set", "spare"])
    change(config, "problems.spare", {"source": "builtin:arithmetic", "split": "test", "limit": 4})
    plan = Plan(config)
    assert plan.sets_apart("train") == ["results/problems/easy-set.parquet", "results/problems/spare.parquet"]
    assert plan.sets_apart("easy-set") == []
    assert plan.problem_sets() == ["train", "easy-set", "hard-set", "spare"]
    assert json.loads(plan.check_settings())["problems"].keys() == {"train", "easy-set", "hard-set", "spare"}
    assert json.loads(plan.problem_settings("train"))["problems"]["overlap_share"] == 0.0


def test_each_training_set_is_compared_with_the_sets_of_its_benchmarks():
    config = change(
        example_config(), "recipes.s", {"problems": "easy-set", "iterations": 1, "rollouts": {"prompts": 8}}
    )
    config["sweep"].append({**config["sweep"][0], "recipes": ["s"]})
    change(config, "sweep.0.benchmarks", ["hard"])
    plan = Plan(config)
    assert plan.overlaps() == {"train": ["hard-set"], "easy-set": ["hard-set"]}
    assert json.loads(plan.check_settings())["overlaps"] == plan.overlaps()


def test_the_settings_of_a_problem_set_name_what_decides_which_answers_are_left_out():
    config = change(example_config(), "problems.train.unusable", "drop")
    settings = json.loads(Plan(config).problem_settings("train"))
    assert settings["problems"]["verifier"] == "integer"
    modules = ("opsft.tasks.arithmetic", "opsft.verify.golds", "opsft.verify.integer")
    assert settings["code"] == code_hash("problems", modules)
    before = all_settings(config)
    assert "problems train" in differing(before, all_settings(change(config, "problems.train.verifier", "exact")))


def test_the_settings_of_a_set_with_boxed_answers_hold_the_code_that_reads_them():
    config = change(example_config(), "problems.train.answer_from", "boxed")
    modules = ("opsft.tasks.arithmetic", "opsft.verify.extract")
    assert json.loads(Plan(config).problem_settings("train"))["code"] == code_hash("problems", modules)
    assert code_hash("problems", modules) != code_hash("problems", modules[:1])


def test_the_page_is_told_what_changes_from_iteration_to_iteration():
    config = change(example_config(), "schedules.s", {"kind": "steps", "budgets": [20, 10]})
    change(config, "recipes.r.rollouts.refresh_every", 2)
    change(config, "sweep.0.budgets", [12, "s"])
    points = {point["budget"]: point for point in json.loads(Plan(config).page_settings())["points"]}
    assert points[12]["changing"] == {"rollouts": {"refresh_every": 2}}
    assert points["s"]["changing"]["schedule"]["budgets"] == [20, 10]
    plain = json.loads(Plan(example_config()).page_settings())["points"]
    assert all("changing" not in point for point in plain)


def test_limits_of_training_are_no_settings_of_it():
    config = example_config()
    change(config, "recipes.r.sft.give_up_after", 7)
    change(config, "recipes.r.sft.checkpoint_every", 11)
    plan = Plan(config)
    assert all(plan.sft_limits(point.path) == '{"checkpoint_every":11,"give_up_after":7}' for point in (A, B))
    assert Plan(example_config()).sft_limits(A.path) == '{"checkpoint_every":50,"give_up_after":3}'
    block = json.loads(plan.sft_settings(A.path, 1))["sft"]
    assert block == {k: v for k, v in plan.recipe(A)["sft"].items() if k not in ("checkpoint_every", "give_up_after")}
    assert all_settings(config) == all_settings(example_config())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gpu_memory_utilization", 0.5),
        ("kv_cache_memory_mb", 100),
        ("tensor_parallel", 2),
        ("enforce_eager", True),
    ],
)
@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_keys_of_vllm_sample_again_only_with_vllm(engine, key, value):
    config = change(example_config(), "engine.name", engine)
    before = all_settings(config)
    sampled = {name for name in before if name.startswith("generate ")}
    changed = differing(before, all_settings(change(config, f"engine.{key}", value)))
    assert changed & sampled == (sampled if engine == "vllm" else set())
    assert {name.split()[0] for name in changed - sampled} == {"track"}


def test_the_check_looks_at_every_use_of_a_set_by_a_model():
    config = change(example_config(), "recipes.r.rollouts", {"prompts": 9})
    change(config, "recipes.s", {"problems": "train", "iterations": 1, "rollouts": {"prompts": 8}})
    change(config, "sweep.0.recipes", ["r", "s"])
    change(config, "benchmarks.hard.max_tokens", 99)
    plan = Plan(config)
    settings = json.loads(plan.check_settings())
    assert settings["uses"] == [
        ["m", "easy-set", 200, 300],
        ["m", "hard-set", 99, 300],
        ["m", "train", 12, 300],
        ["m", "train", 32, 300],
    ]
    assert settings["draws"] == {"train": 9}
    assert settings["problems"] == plan.config["problems"]
    assert settings["models"] == plan.config["models"]
    assert settings["fingerprints"] == {}
    assert settings["code"] == code_hash("check", ("opsft.verify.integer",))


def test_a_run_says_with_which_code_and_weights_it_was_made():
    config = json.loads(Plan(example_config()).track_settings(A.path, 2))["config"]
    assert config["made_with"] == {
        "weights": None,
        "code": {
            "base": code_hash("base"),
            "generate": code_hash("generate", ("opsft.engines.transformers",)),
            "verify": code_hash("verify", ("opsft.verify.integer",)),
            "filter": code_hash("filter", ("opsft.selection.correct_within",)),
            "sft": code_hash("sft"),
            "evaluate": code_hash("evaluate"),
            "verify easy": code_hash("verify", ("opsft.verify.integer",)),
            "verify hard": code_hash("verify", ("opsft.verify.integer",)),
        },
    }
    assert config["recipe"]["sft"].keys().isdisjoint(("checkpoint_every", "give_up_after"))
    assert "iterations" not in config["recipe"]


def test_the_summary_says_how_far_training_was_from_on_policy():
    config = change(example_config(), "recipes.r.sft", {"updates": 2, "epochs": 3})
    change(config, "recipes.r.rollouts", {"temperature": 0.5})
    points = json.loads(Plan(config).summary_settings())["points"]
    assert points == [
        {
            **vars(point),
            "iterations": 2,
            "benchmarks": ["easy", "hard"],
            "train_temperature": 0.5,
            "refresh_every": 1,
            "updates_per_batch": 6,
        }
        for point in (A, B)
    ]


def write_run(plan: Plan, place: str, file: str, shards: int) -> None:
    settings = json.loads(plan.generate_settings(place))
    write_json(plan.path(f"{place}/{file}.run.json"), {"settings": settings, "run": {"shards": shards}})


def test_a_place_is_cut_into_as_many_shards_as_the_configuration_says(tmp_path):
    config = change(example_config(), "results", str(tmp_path))
    place = f"{A.path}/iter1/train"
    assert (Plan(config).shards_of(place), Plan(config).shard_files(place)) == (1, [])
    plan = Plan(change(config, "resources.generate.shards", 2))
    assert plan.shards_of(place) == 2
    assert plan.shard_files(place) == [
        f"{tmp_path}/{place}/shards/{i}-of-2.{kind}" for i in (1, 2) for kind in ("parquet", "run.json")
    ]


@pytest.mark.parametrize("file", ["rollouts", "shards/1-of-3"])
def test_a_place_keeps_its_number_of_shards_while_its_settings_are_the_same(tmp_path, file):
    config = change(example_config(), "results", str(tmp_path))
    place = f"{A.path}/iter1/train"
    write_run(Plan(config), place, file, 3)
    for wanted in (1, 2):
        assert Plan(change(config, "resources.generate.shards", wanted)).shards_of(place) == 3
    assert Plan(change(config, "recipes.r.rollouts.temperature", 0.5)).shards_of(place) == 2


def test_a_finished_place_keeps_its_number_whatever_shards_were_left_beside_it(tmp_path):
    plan = Plan(change(example_config(), "results", str(tmp_path)))
    place = f"{A.path}/iter1/train"
    write_run(plan, place, "shards/1-of-3", 3)
    write_run(plan, place, "rollouts", 1)
    assert plan.shards_of(place) == 1


def test_the_patterns_of_targets_take_the_points_and_benchmarks_of_the_sweep_only():
    plan = Plan(example_config())
    for place in ("m/base/eval/easy", f"{A.path}/iter1/train", f"{B.path}/iter12/eval/hard"):
        assert re.fullmatch(plan.place_pattern(), place)
    others = ("m/base/eval/nope", "n/base/eval/easy", f"{A.path}/iter1/eval/nope", "m/r/L13/seed0/iter1/train")
    assert not any(re.fullmatch(plan.place_pattern(), place) for place in others)
    assert re.fullmatch(plan.point_pattern(), A.path)
    assert not re.fullmatch(plan.point_pattern(), "m/r/L13/seed0")


def test_packages_that_not_every_sweep_needs_are_named_with_the_key_that_needs_them():
    config = example_config()
    assert Plan(config).packages() == {}
    change(config, "models.m.engine", {"name": "vllm"})
    change(config, "recipes.r.sft", {"lora": {"rank": 4, "alpha": 8}, "optimizer": "adamw_8bit"})
    assert Plan(config).packages() == {
        "vllm": "the engine of model m is vllm",
        "peft": "recipes.r.sft.lora is set",
        "torchao": "recipes.r.sft.optimizer is adamw_8bit",
    }


def test_a_verifier_of_one_s_own_is_tracked_by_its_code_and_refused_where_it_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = change(example_config(), "problems.easy-set.verifier", "own_verifier:same")
    with pytest.raises(ConfigError, match=r"^problems\.easy-set\.verifier: 'own_verifier:same' was not found"):
        Plan(copy.deepcopy(config))
    source = tmp_path / "own_verifier.py"
    source.write_text("def same(answer, gold):\n    return answer == gold\n")
    before = all_settings(copy.deepcopy(config))
    source.write_text("def same(answer, gold):\n    return answer in gold\n")
    read_code.cache_clear()
    changed = differing(before, all_settings(copy.deepcopy(config)))
    assert {name for name in changed if name.startswith("verify")} == {
        name for name in before if name.startswith("verify") and name.endswith("easy")
    }
    assert "check" in changed
