"""The configuration: defaults, every refusal and its message, the schema's descriptions, the files that are shipped."""

import copy
import datetime
import pathlib

import pytest
import yaml
from snakemake.utils import update_config

from opsft.selection.rules import RULES
from opsft_flow.configuration.config import dereference, engine_for, load_schema, resolve, schedule_of
from opsft_flow.errors import ConfigError
from opsft_flow.graph.plan import Plan
from opsft_flow.points import expand_sweep
from tests.unit.example_config import change, example_config

ROOT = pathlib.Path(__file__).resolve().parents[2]
GIVEN_AFTER = {
    "local.yaml": "gsm8k-0.5b.yaml",
    "few-on-cpu.yaml": "gsm8k-0.5b.yaml",
    "two-on-a-gpu.yaml": "gsm8k-0.5b.yaml",
    "paper-7b.yaml": "paper-1.5b.yaml",
    "toy-transfer.yaml": "toy.yaml",
}
EXPERIMENTS = sorted(
    path.relative_to(ROOT / "experiments").as_posix() for path in (ROOT / "experiments").rglob("*.yaml")
)


def read(path: pathlib.Path) -> dict:
    return yaml.safe_load(path.read_text())


def test_defaults_are_filled_in_and_the_given_configuration_stays_as_it_was():
    config = example_config()
    before = copy.deepcopy(config)
    resolved = resolve(config)
    assert config == before
    assert resolved["results"] == "results"
    assert resolved["recipes"]["r"]["sft"]["lr"] == 1e-6
    assert resolved["recipes"]["r"]["rollouts"]["temperature"] == 1.0
    assert resolved["problems"]["train"]["columns"]["question"] == "question"
    assert resolved["resources"]["sft"] == {"threads": 1, "gpu": 0, "mem_mb": 4000, "runtime": 60, "nodes": 1}
    assert resolved["models"]["m"]["engine"] == {}


def test_a_resolved_configuration_resolves_to_itself():
    resolved = resolve(example_config())
    assert resolve(resolved) == resolved


def test_two_blocks_never_share_a_default():
    resolved = resolve(example_config())
    resolved["problems"]["train"]["options"]["terms_min"] = 2
    assert resolved["problems"]["easy-set"]["options"] == {}
    assert resolve(example_config())["problems"]["train"]["options"] == {}


def test_an_adapter_gets_its_default_targets_and_none_is_trained_unless_asked_for():
    assert resolve(example_config())["recipes"]["r"]["sft"]["lora"] is None
    lora = resolve(change(example_config(), "recipes.r.sft.lora", {"rank": 8, "alpha": 16}))["recipes"]["r"]["sft"][
        "lora"
    ]
    assert lora["alpha"] == 16.0
    assert lora["targets"][0] == "q_proj"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"recipes.r.sft.optimizer": "adamw_8bit", "recipes.r.sft.offload_optimizer": True},
            "recipes.r.sft.optimizer: adamw_8bit and recipes.r.sft.offload_optimizer: true do not go together",
        ),
        (
            {"recipes.r.sft.offload_optimizer": True, "resources.sft.gpu": 2},
            "recipes.r.sft.offload_optimizer: true and resources.sft.gpu: 2 do not go together; allowed: one of them",
        ),
    ],
)
def test_two_ways_to_keep_the_optimizer_small_are_refused(changes, message):
    config = example_config()
    for key, value in changes.items():
        resolve(change(copy.deepcopy(example_config()), key, value))
        change(config, key, value)
    with pytest.raises(ConfigError) as refusal:
        resolve(config)
    assert message in str(refusal.value)


@pytest.mark.parametrize("given", [1, 1.0])
def test_a_whole_number_is_the_same_as_its_float(given):
    resolved = resolve(change(example_config(), "benchmarks.easy.temperature", given))
    assert repr(resolved["benchmarks"]["easy"]["temperature"]) == "1.0"


SWEEP = "sweep.0."
REFUSED = [
    (
        "recipes.r.sft.epoch",
        2,
        "recipes.r.sft.epoch: unknown key; did you mean 'epochs'? Allowed: lr, warmup_updates, updates,",
    ),
    ("zzz", 1, "zzz: unknown key. Allowed: results, models, problems, benchmarks, recipes, schedules, keep, rep"),
    (
        "engine.contxt",
        1,
        "engine.contxt: unknown key; did you mean 'context'? Allowed: name, dtype, device, context, max",
    ),
    ("models.m", {}, "models.m: 'source' is missing"),
    ("results", "results/{today}", "results: found 'results/{today}'; allowed: a path without braces"),
    (
        "models.m.engine",
        {"contxt": 1},
        "models.m.engine.contxt: unknown key; did you mean 'context'? Allowed: name, dtype, device, con",
    ),
    (
        "models.m.engine",
        {"context": "long"},
        "models.m.engine.context: found 'long'; allowed: a whole number of at least 2 and of at most 100",
    ),
    ("models.m.engine", {"name": "sglang"}, "models.m.engine.name: found 'sglang'; allowed: transformers, vllm"),
    ("models.m.engine", {"context": 100}, "(engine.context is 100); allowed: at most 99"),
    ("recipes.r.filter.rule", "best", "recipes.r.filter.rule: found 'best'. Allowed: correct_within, correct, "),
    ("recipes.r.filter.rule", "shortest", "found 'shortest'; did you mean 'shortest_k'? Allowed: correct_within, "),
    ("recipes.r.filter.rule", "nowhere:keep", "recipes.r.filter.rule: 'nowhere:keep' was not found; nowhere.py is"),
    ("recipes.r.filter.then", [{"k": 2}], "recipes.r.filter.then.0: 'rule' is missing"),
    (
        "recipes.r.filter.k",
        2,
        "recipes.r.filter.k: found 2, and correct_within does not read it (it reads no option); leave",
    ),
    (
        "recipes.r.filter.then",
        [{"rule": "shortest_k", "cap": 2}],
        "filter.then.0.cap: found 2, and shortest_k does not read it (it reads k)",
    ),
    (
        "replay",
        [{"rule": "er_sigmoid", "options": {"a": 1}}],
        "replay.0.options: found {'a': 1}, and er_sigmoid does not read it",
    ),
    ("recipes.r.filter.then", [{"rule": "best"}], "recipes.r.filter.then.0.rule: found 'best'. Allowed: "),
    (
        "recipes.r.filter.then",
        [{"rule": "all", "then": []}],
        "recipes.r.filter.then.0.then: unknown key. Allowed: rule, k, fraction, cap, alpha, options",
    ),
    (
        "recipes.r.filter.fraction",
        0,
        "recipes.r.filter.fraction: found 0.0; allowed: a number above 0 and of at most 1",
    ),
    ("recipes.r.filter.alpha", 1, "recipes.r.filter.alpha: found 1.0; allowed: a number of at least 0 and below 1"),
    (
        "recipes.r.rollouts.refresh_every",
        0,
        "recipes.r.rollouts.refresh_every: found 0; allowed: a whole number of at least 1 or null",
    ),
    ("replay", [{"rule": "best"}], "replay.0.rule: found 'best'. Allowed: "),
    ("keep", "first", "keep: found 'first'; allowed: all, last"),
    ("keep", None, "keep: found null; allowed: all, last, or {every: k}; without the key it is 'all'"),
    ("keep", {"evry": 2}, "keep.evry: unknown key; did you mean 'every'? Allowed: every"),
    ("keep", {"every": 0}, "keep.every: found 0; allowed: a whole number of at least 1"),
    ("schedules.s", {"kind": "linear"}, "schedules.s.kind: found 'linear'; allowed: steps, quantile"),
    ("schedules.s", {"kind": "steps"}, "schedules.s.budgets: is empty; steps needs at least one budget"),
    (
        "schedules.s",
        {"kind": "quantile"},
        "schedules.s.start: found None; quantile needs a budget of at least `floor`, 1",
    ),
    (
        "schedules.s",
        {"kind": "quantile", "start": 3, "floor": 4},
        "schedules.s.start: found 3; quantile needs a budget",
    ),
    (
        "schedules.a/b",
        {"kind": "steps", "budgets": [1]},
        "schedules.a/b: found 'a/b'; allowed: up to 64 letters, digits, dots, dashes and underscores, be",
    ),
    (SWEEP + "budgets", ["s"], "sweep.0.budgets: 's' is not among schedules: "),
    (
        "recipes.r.iterations",
        0,
        "recipes.r.iterations: found 0; allowed: a whole number of at least 1 and of at most 10,000",
    ),
    (
        "recipes.r.iterations",
        2.0,
        "recipes.r.iterations: found 2.0; allowed: a whole number of at least 1 and of at most 10,000; w",
    ),
    (
        "recipes.r.iterations",
        True,
        "recipes.r.iterations: found true; allowed: a whole number of at least 1 and of at most 10,000",
    ),
    ("recipes.r.sft.optimizer", "sgd", "recipes.r.sft.optimizer: found 'sgd'; allowed: adamw, adamw_8bit"),
    ("recipes.r.sft.lora", {"rank": 8}, "recipes.r.sft.lora: 'alpha' is missing"),
    (
        "recipes.r.sft.lora",
        {"rank": 0, "alpha": 1},
        "recipes.r.sft.lora.rank: found 0; allowed: a whole number of at least 1",
    ),
    (
        "problems.train.template",
        "no place",
        "problems.train.template: found 'no place'; allowed: text with {question} where the question goes",
    ),
    ("models.base", {"source": "o/m"}, "models.base: the name 'base' is taken by the results tree; choose another"),
    (
        "models.summary",
        {"source": "o/m"},
        "models.summary: the name 'summary' is taken by the results tree; choose another",
    ),
    (
        "models.problems",
        {"source": "o/m"},
        "models.problems: the name 'problems' is taken by the results tree; choose another",
    ),
    (
        "recipes.base",
        {"problems": "train", "iterations": 1},
        "recipes.base: the name 'base' is taken by the results tree; choose another",
    ),
    (
        "models.a/b",
        {"source": "o/m"},
        "models.a/b: found 'a/b'; allowed: up to 64 letters, digits, dots, dashes and underscores, begun",
    ),
    (SWEEP + "models", [], "sweep.0.models: is empty; at least one entry is needed"),
    (SWEEP + "budgets", [], "sweep.0.budgets: is empty; at least one entry is needed"),
    (
        SWEEP + "budgets",
        [12.0],
        "sweep.0.budgets.0: found 12.0; allowed: a whole number of at least 1, or the name of one of `sc",
    ),
    ("sweep", [], "sweep: is empty; at least one entry is needed"),
    (SWEEP + "models", ["x"], "sweep.0.models: 'x' is not among models: m"),
    (SWEEP + "recipes", ["x"], "sweep.0.recipes: 'x' is not among recipes: r"),
    (SWEEP + "benchmarks", ["x"], "sweep.0.benchmarks: 'x' is not among benchmarks: easy, hard"),
    ("benchmarks.easy.problems", "x", "benchmarks.easy.problems: 'x' is not among problems: train, easy-set, hard-set"),
    ("recipes.r.problems", "x", "recipes.r.problems: 'x' is not among problems: train, easy-set, hard-set"),
    (SWEEP + "budgets", [12, 300], "sweep.0.budgets: 300 tokens and a prompt do not fit the context of model 'm'"),
    ("benchmarks.easy.max_tokens", 300, "benchmarks.easy.max_tokens: 300 and a prompt do not fit the context of"),
    ("evaluate.pass_k", [1, 5], "evaluate.pass_k: 5 is more than the samples of benchmark 'easy' (4)"),
    ("evaluate.maj_k", [5], "evaluate.maj_k: 5 is more than the samples of benchmark 'easy' (4)"),
    ("evaluate.g_pass_k", [5], "evaluate.g_pass_k: 5 is more than the samples of benchmark 'easy' (4)"),
    ("evaluate.budgets", [50, 201], "evaluate.budgets: found [50, 201]; allowed: null, or two or more in ascending"),
    ("evaluate.budgets", [50], "evaluate.budgets: found [50]; allowed: null, or two or more"),
    ("evaluate.budgets", [60, 50], "evaluate.budgets: found [60, 50]; allowed: null, or two or more"),
    (
        "problems.train.template",
        "{question} A) {A}",
        "problems.train.template: found {A}; allowed: {question}, the one name",
    ),
    ("problems.train.template", "{{question}}", "problems.train.template: found {{question}}; allowed: {question}"),
    ("problems.train.template", "{question} { options.a }", "problems.train.template: found { options.a }; allowed"),
    (
        "recipes.r.iterations",
        10**400,
        "recipes.r.iterations: found one of 1,329 bits; allowed: whole numbers of at most",
    ),
    (
        "track",
        {"entity": "e" * 200_000, "mode": "offline"},
        "track.entity: takes 200,002 characters as JSON; allowed: at most",
    ),
    ("models.m.thinking", ["<think>"], "models.m.thinking: found ['<think>']; allowed: a list of two different texts"),
    (
        "models.m.thinking",
        ["<think>", "<think>"],
        "models.m.thinking: found ['<think>', '<think>']; allowed: a list of two different texts",
    ),
    ("problems.train.answer_pattern", "(", "problems.train.answer_pattern: '(' is not a regular expression"),
    ("problems.train.answer_pattern", "####.*", "problems.train.answer_pattern: '####.*' has no group"),
    ("problems.train.preset", "aime", "problems.train.preset: found 'aime'; allowed: gsm8k-train, deepscaler,"),
    ("problems.train.filter", {"level": []}, "problems.train.filter.level: is empty"),
    (
        "problems.train.filter",
        {"level": 3},
        "problems.train.filter.level: found 3; allowed: a list, each entry text, a number, true or false",
    ),
    (
        "problems.train.filter",
        {"level": {"least": 3}},
        "problems.train.filter.level.least: unknown key. Allowed: matches, min, max, not",
    ),
    (
        "problems.train.filter",
        {"level": {"min": "3"}},
        "problems.train.filter.level.min: found '3'; allowed: a number; write 3, without quotes",
    ),
    (
        "problems.train.filter",
        {"a": {"matches": "("}},
        "problems.train.filter.a.matches: '(' is not a regular expression",
    ),
    ("problems.train.unusable", "keep", "problems.train.unusable: found 'keep'; allowed: refuse, drop"),
    ("problems.train.remove_overlap", ["easy"], "problems.train.remove_overlap: found 'easy'; allowed: other problem"),
    (
        "problems.train.remove_overlap",
        ["train"],
        "problems.train.remove_overlap: found 'train'; allowed: other problem",
    ),
]


def test_sets_that_are_kept_apart_do_not_wait_for_each_other():
    config = change(example_config(), "problems.easy-set.remove_overlap", ["hard-set"])
    resolve(config)
    with pytest.raises(ConfigError, match=r"problems\.train\.remove_overlap: found 'easy-set'; .* own: hard-set$"):
        resolve(change(config, "problems.train.remove_overlap", ["easy-set"]))


def test_an_answer_is_looked_for_in_one_way():
    config = change(example_config(), "problems.train.answer_pattern", "(.*)")
    with pytest.raises(ConfigError, match=r"problems\.train: answer_from: boxed and answer_pattern do not go together"):
        resolve(change(config, "problems.train.answer_from", "boxed"))


def test_a_filter_that_matches_needs_no_group():
    resolve(
        change(example_config(), "problems.train.filter", {"a": {"matches": "^-?[0-9]+$"}, "b": [None, True, 4, "x"]})
    )


@pytest.mark.parametrize(("key", "value", "message"), REFUSED, ids=[f"{key}={value!r}" for key, value, _ in REFUSED])
def test_what_is_refused_and_how(key, value, message):
    with pytest.raises(ConfigError) as caught:
        resolve(change(example_config(), key, value))
    assert message in str(caught.value)


INFINITE, NO_NUMBER = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("verify.timeout_s", INFINITE, "verify.timeout_s: found inf; allowed: finite numbers, and dates in quotes"),
        ("recipes.r.sft.lr", NO_NUMBER, "recipes.r.sft.lr: found nan; allowed: finite numbers, and dates in quotes"),
        (
            "evaluate.reach",
            [0.5, -INFINITE],
            "evaluate.reach.1: found -inf; allowed: finite numbers, and dates in quotes",
        ),
        (
            "problems.train.options",
            {"since": datetime.date(2024, 1, 31)},
            "problems.train.options.since: found 2024-01-31; allowed: finite numbers, and dates in quotes",
        ),
        (
            "problems.train.options",
            {"a": INFINITE},
            "problems.train.options.a: found inf; allowed: finite numbers, and dates in quotes",
        ),
        ("problems.train.preset", ["a"], "problems.train.preset: found ['a']; allowed: gsm8k-train, "),
        ("results", "~nosuchuser/x", "results: '~nosuchuser/x' has no home folder"),
        ("models.m.source", "~nosuchuser/x", "models.m.source: '~nosuchuser/x' has no home folder"),
        ("problems.train.source", "~nosuchuser/x", "problems.train.source: '~nosuchuser/x' has no home folder"),
    ],
)
def test_non_finite_and_odd_values_are_refused_in_one_line(key, value, message):
    with pytest.raises(ConfigError) as refusal:
        Plan(change(example_config(), key, value))
    line = str(refusal.value).removeprefix("the configuration cannot be run:\n  ")
    assert line.startswith(message)
    assert "\n" not in line


@pytest.mark.parametrize("results", ["-out", "./-out", ".", "out/.."])
def test_a_results_folder_like_an_option_is_refused(results):
    with pytest.raises(ConfigError) as refusal:
        resolve(change(example_config(), "results", results))
    _, line = str(refusal.value).splitlines()
    assert line.startswith(f"  results: found {results!r}; allowed: ")


@pytest.mark.parametrize(
    ("given", "folder"), [("a/./b/", "a/b"), ("../-out", "../-out"), ("/a", "/a"), ("~", "/home/me")]
)
def test_the_results_folder_as_paths_begin_with_it(given, folder, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert Plan(change(example_config(), "results", given)).path("x") == f"{folder}/x"


def test_a_recipe_cannot_be_named_eval():
    block = {"problems": "train", "iterations": 1}
    with pytest.raises(ConfigError) as refusal:
        resolve(change(example_config(), "recipes.eval", block))
    _, line = str(refusal.value).splitlines()
    assert line == "  recipes.eval: the name 'eval' is taken by the results tree; choose another"
    resolve(change(example_config(), "problems.eval", {"source": "builtin:arithmetic"}))


def test_a_key_that_is_no_text_is_refused_like_any_other():
    with pytest.raises(ConfigError, match=r"engine\.True: unknown key\. Allowed: name, "):
        resolve(change(example_config(), "engine", {True: 1}))


@pytest.mark.parametrize("kind", ["models", "problems", "benchmarks", "recipes", "sweep"])
def test_each_top_level_block_is_needed(kind):
    config = example_config()
    del config[kind]
    with pytest.raises(ConfigError, match=f"top level: '{kind}' is missing"):
        resolve(config)


def test_blocks_that_are_missing_are_named_in_one_line():
    with pytest.raises(ConfigError) as refusal:
        resolve({"results": "results"})
    *_, line = str(refusal.value).splitlines()
    assert str(refusal.value).count("\n") == 1
    assert line == "  top level: 'models', 'problems', 'benchmarks', 'recipes', 'sweep' is missing"


def test_everything_that_is_wrong_is_named_at_once():
    config = change(change(example_config(), "recipes.r.iterations", 0), "sweep.0.seeds", [])
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    assert str(caught.value).splitlines() == [
        "the configuration cannot be run:",
        "  recipes.r.iterations: found 0; allowed: a whole number of at least 1 and of at most 10,000",
        "  sweep.0.seeds: is empty; at least one entry is needed",
    ]


def test_limits_are_named_once_and_together():
    config = change(change(example_config(), "evaluate.pass_k", [9]), "problems.train.answer_pattern", "(")
    config["sweep"].append({**config["sweep"][0], "seeds": [1]})
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    _, *lines = str(caught.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines] == [
        "evaluate.pass_k",
        "evaluate.pass_k",
        "problems.train.answer_pattern",
    ]


def test_a_model_may_widen_the_context_for_itself():
    config = change(example_config(), "sweep.0.budgets", [400])
    config["models"]["m"]["engine"] = {"context": 500}
    resolved = resolve(config)
    assert engine_for(resolved, "m")["context"] == 500
    assert engine_for(resolved, "m")["name"] == "transformers"


@pytest.mark.parametrize("given", [1, 1.0])
def test_the_engine_of_a_model_is_normalised(given):
    resolved = resolve(change(example_config(), "models.m.engine", {"gpu_memory_utilization": given}))
    assert repr(resolved["models"]["m"]["engine"]) == "{'gpu_memory_utilization': 1.0}"


@pytest.mark.parametrize(
    "schedule", [{"kind": "steps", "budgets": [20, 300]}, {"kind": "quantile", "start": 300, "budgets": [20]}]
)
def test_the_largest_budget_of_a_schedule_must_fit_the_context(schedule):
    config = change(change(example_config(), "schedules.s", schedule), "sweep.0.budgets", ["s"])
    with pytest.raises(
        ConfigError, match=r"sweep\.0\.budgets: 300 tokens and a prompt do not fit the context of model 'm'"
    ):
        resolve(config)


def test_a_schedule_may_not_be_called_like_a_budget():
    config = change(example_config(), "schedules", {"40": {"kind": "steps", "budgets": [40]}})
    with pytest.raises(ConfigError, match=r"schedules\.40: found '40'; allowed: a name that is not of digits alone"):
        resolve(config)


def test_a_schedule_has_the_keys_that_its_kind_reads():
    config = change(example_config(), "schedules.s", {"kind": "steps", "budgets": [20, 10], "start": 9})
    change(config, "schedules.t", {"kind": "quantile", "start": 9, "budgets": [20]})
    resolved = resolve(config)
    assert schedule_of(resolved, 12) == {"kind": "constant", "budget": 12}
    assert schedule_of(resolved, "s") == {"kind": "steps", "budgets": [20, 10], "iterations": 1}
    assert schedule_of(resolved, "t") == {
        "kind": "quantile",
        "start": 9,
        "floor": 1,
        "quantile": 0.9,
        "most_truncated": None,
    }


def test_by_default_every_rule_is_replayed_and_the_schema_describes_every_rule():
    assert [block["rule"] for block in resolve(example_config())["replay"]] == list(RULES)
    described = load_schema()["$defs"]["rule"]["properties"]
    assert all(f"`{rule}`" in described["rule"]["description"] for rule in RULES)
    assert {option for options in RULES.values() for option in options} == described.keys() - {"rule", "options"}
    for option in described.keys() - {"rule", "options"}:
        assert all((rule in described[option]["description"]) == (option in reads) for rule, reads in RULES.items())


@pytest.mark.parametrize("budgets", [None, [], [50, 200]])
def test_cut_offs_within_the_cap_pass(budgets):
    assert resolve(change(example_config(), "evaluate.budgets", budgets))["evaluate"]["budgets"] == budgets


def walk(schema: dict, root: dict, path: str = ""):
    """Every (path, schema) of a key that the schema names, references followed."""
    schema = dereference(schema, root)
    for key, part in schema.get("properties", {}).items():
        yield f"{path}.{key}", dereference(part, root)
        yield from walk(part, root, f"{path}.{key}")
    for key in ("additionalProperties", "items"):
        if isinstance(schema.get(key), dict):
            yield from walk(schema[key], root, f"{path}.*")


def test_every_key_of_the_schema_has_a_description():
    schema = load_schema()
    keys = dict(walk(schema, schema))
    assert ".recipes.*.sft.lr" in keys
    assert ".sweep.*.budgets" in keys
    assert ".resources.sft.gpu" in keys
    assert [path for path, part in keys.items() if len(part.get("description", "")) < 5] == []
    assert [name for name, part in schema["$defs"].items() if "description" not in part] == []


def test_every_default_is_allowed_and_every_block_refuses_unknown_keys():
    schema = load_schema()
    filters = (".recipes.*.filter", ".recipes.*.filter.then.*", ".replay.*", ".replay.*.then.*")
    free_form = {".problems.*.options", *(f"{block}.options" for block in filters)}
    for path, part in walk(schema, schema):
        if part.get("type") == "object" and path not in free_form:
            assert "additionalProperties" in part, path
        if "enum" in part and "default" in part:
            assert part["default"] in part["enum"], path


def test_the_embedded_default_can_be_run():
    resolve(read(ROOT / "config.yaml"))


def with_experiments(*names: str) -> dict:
    """The embedded default with experiments over it."""
    config = read(ROOT / "config.yaml")
    for name in names:
        update_config(config, read(ROOT / "experiments" / name))
    return resolve(config)


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if not name.startswith("ablations/")])
def test_every_experiment_can_be_run_over_the_embedded_default(name):
    with_experiments(*([GIVEN_AFTER[name]] if name in GIVEN_AFTER else []), name)


@pytest.mark.parametrize("ablation", [name for name in EXPERIMENTS if name.startswith("ablations/")])
@pytest.mark.parametrize("first", ["toy.yaml", "gsm8k-0.5b.yaml", "paper-1.5b.yaml"])
def test_an_ablation_takes_all_but_what_it_changes_from_the_experiment_before_it(first, ablation):
    alone, changed = with_experiments(first), with_experiments(first, ablation)
    assert changed["recipes"]["opsft"] == alone["recipes"]["opsft"]
    assert changed["summary"]["name"] == pathlib.Path(ablation).stem
    (block,) = changed["sweep"]
    assert {key: block[key] for key in ("models", "benchmarks")} == {
        key: alone["axes"][key] for key in ("models", "benchmarks")
    }
    assert "opsft" in block["recipes"]
    assert set(block["budgets"]) <= set(alone["schedules"])
    # What they have in common is trained once.
    assert any(point in expand_sweep(alone["sweep"]) for point in expand_sweep(changed["sweep"]))


def test_claims_are_made_of_every_ablation():
    line = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("ABLATIONS"))
    assert sorted(line.partition("=")[2].split()) == sorted(
        pathlib.Path(n).stem for n in EXPERIMENTS if n.startswith("ablations/")
    )


def test_axes_fill_what_a_block_leaves_out():
    config = example_config()
    block = config["sweep"][0]
    config["axes"], config["sweep"] = block, [{}, {"seeds": [1, 2], "budgets": [24]}]
    assert resolve(config)["sweep"] == [block, {**block, "seeds": [1, 2], "budgets": [24]}]
    del config["sweep"]
    assert resolve(config)["sweep"] == [block]


def test_a_block_with_neither_a_key_nor_an_axis_for_it_is_refused():
    config = change(example_config(), "axes", {"models": ["m"]})
    config["sweep"] = [{"recipes": ["r"], "budgets": [12], "seeds": [0]}]
    with pytest.raises(ConfigError, match=r"sweep\.0: 'benchmarks' is missing"):
        resolve(config)


def test_an_unknown_axis_is_refused():
    with pytest.raises(ConfigError, match=r"axes\.lengths: unknown key"):
        resolve(change(example_config(), "axes", {"lengths": [1]}))


def test_a_recipe_is_like_another_but_for_its_own_keys():
    config = change(example_config(), "recipes.r.sft", {"lr": 0.5, "updates": 3})
    config["recipes"]["fourth"] = {"like": "third", "iterations": 7}
    config["recipes"]["third"] = {"like": "r", "sft": {"updates": 1}}
    recipes = resolve(config)["recipes"]
    alone = resolve(
        example_config() | {"recipes": {"r": {"problems": "train", "iterations": 7, "sft": {"lr": 0.5, "updates": 1}}}}
    )
    assert recipes["third"] == {**recipes["r"], "sft": {**recipes["r"]["sft"], "updates": 1}}
    assert recipes["fourth"] == alone["recipes"]["r"]
    assert config["recipes"]["third"] == {"like": "r", "sft": {"updates": 1}}


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ("gone", "recipes.s.like: found 'gone'; allowed: r, other"),
        ("s", "recipes.s.like: found 's'; allowed: r, other"),
        # `other` is like s: a circle.
        ("other", "recipes.other.like: found 's'; allowed: r"),
    ],
)
def test_a_recipe_like_none_or_like_itself_is_refused(like, message):
    config = example_config()
    config["recipes"] |= {"s": {"like": like}, "other": {"like": "s"}}
    with pytest.raises(ConfigError) as refusal:
        resolve(config)
    assert str(refusal.value).splitlines() == ["the configuration cannot be run:", f"  {message}"]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"answer_from": "option"}, "answer_from: option needs columns.options"),
        ({"shuffle_options": True}, "shuffle_options: true needs columns.options"),
        (
            {"columns": {"options": "o"}, "verifier": "math"},
            r"verifier: found 'math'; allowed with columns\.options, .*: choice",
        ),
        (
            {
                "columns": {"answer": "right", "options": ["right", "wrong"]},
                "verifier": "choice",
                "answer_from": "option",
            },
            r"the right option is always column 'right', .*; set shuffle_options: true",
        ),
        ({"question_pattern": "x"}, "question_pattern: 'x' has no group; its first group must hold the question"),
    ],
)
def test_keys_about_options_go_together(block, message):
    config = change(example_config(), "problems.train", {"source": "owner/set", **block})
    with pytest.raises(
        ConfigError, match=rf"problems\.train[.:] ?{message}|problems\.train\.columns\.options: {message}"
    ):
        resolve(config)
