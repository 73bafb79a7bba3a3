"""Validate the configuration against its schema, fill in the defaults, and check what a schema cannot say."""

import copy
import functools
import json
import math
import os
import pathlib
import re

import yaml
from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from opsft.budgets import largest_budget
from opsft_flow.configuration.messages import EXPONENT, as_written, did_you_mean, lines_for, number_like
from opsft_flow.configuration.presets import fill_presets
from opsft_flow.configuration.shorthand import fill_axes, fill_likes
from opsft_flow.errors import ConfigError
from opsft_flow.selection import check_rules

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "workflow" / "schemas" / "config.schema.yaml"
# JSON takes 12.0 for an integer. A path of the results tree, or a range, cannot.
TYPES = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
Validator = extend(Draft202012Validator, type_checker=TYPES)
LARGEST = 2**63 - 1
# Of a block as JSON: Linux takes 128 KiB for an argument, and settings hold several blocks.
LONGEST_BLOCK = 30_000
# The keys that each kind of schedule reads.
SCHEDULE_KEYS = {"steps": ("budgets", "iterations"), "quantile": ("start", "floor", "quantile", "most_truncated")}

# A name in braces of its own. Behind a letter, or `]`, `}`, `^` or `_`, braces are LaTeX: `\boxed{answer}`, `\frac{a}{b}`.
PLACE = re.compile(r"(?<![\w^}\]{])\{+\s*[A-Za-z_][\w.:!]*\s*\}+")


@functools.cache
def load_schema() -> dict:
    return yaml.safe_load(SCHEMA.read_text())


def resolve(config: dict) -> dict:
    """A deep copy of `config` with every preset and default filled in.

    Raises ConfigError with one line for each thing that is wrong.
    """
    schema, copied = load_schema(), copy.deepcopy(config)
    fill_presets(copied)
    fill_axes(copied)
    fill_likes(copied)
    resolved = fill_defaults(copied, schema, schema)
    errors = sorted(Validator(schema).iter_errors(resolved), key=lambda error: list(map(str, error.path)))
    # Each check relies on what the one before has found in order.
    problems = (
        check_values(resolved)
        or check_sizes(resolved)
        or [line for error in errors for line in lines_for(error)]
        or check_references(resolved)
        or check_limits(resolved, schema)
    )
    if problems:
        # One line names all keys that are missing, and each of them is an error.
        lines = "\n".join(f"  {line}" for line in dict.fromkeys(as_written(line, config) for line in problems))
        raise ConfigError(f"the configuration cannot be run:\n{lines}")
    return resolved


def fill_defaults(value: object, schema: dict, root: dict) -> object:
    """Fill the schema's defaults into `value`, in place where it is a dict or a list; numbers become floats.

    So 1 and 1.0 are the same temperature: settings are compared as text. A block that is `partial` gets no defaults.
    """
    schema = dereference(schema, root)
    if isinstance(value, dict):
        filled = {} if schema.get("partial") else schema.get("properties", {})
        for key, subschema in filled.items():
            default = dereference(subschema, root).get("default")
            if key not in value and "default" in dereference(subschema, root):
                value[key] = copy.deepcopy(default)
        for key in value:
            subschema = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            if isinstance(subschema, dict):
                value[key] = fill_defaults(value[key], subschema, root)
    elif isinstance(value, list) and "items" in schema:
        value[:] = [fill_defaults(item, schema["items"], root) for item in value]
    elif schema.get("type") == "number" and (type(value) is int or is_exponent(value)):
        value = float(value)
    return value


def is_exponent(value: object) -> bool:
    """True for text such as 1e-4, which YAML 1.2 reads as a number, and YAML 1.1 does not."""
    return isinstance(value, str) and EXPONENT.fullmatch(value) is not None


def dereference(schema: dict, root: dict) -> dict:
    """A schema with what it refers to, under the keys that stand beside the reference."""
    if "$ref" not in schema:
        return schema
    own = {key: value for key, value in schema.items() if key != "$ref"}
    return dereference(root["$defs"][schema["$ref"].rpartition("/")[2]], root) | own


def defaults_of(definition: str, schema: dict) -> dict:
    """The defaults of the keys of one of the schema's definitions that have one."""
    keys = schema["$defs"][definition]["properties"]
    return {key: block["default"] for key, block in keys.items() if "default" in block}


def check_values(value: object, above: tuple[str, ...] = ()) -> list[str]:
    """Values that settings, which are JSON, cannot hold, and numbers of more than 64 bits, which tables cannot."""
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        return [line for key, part in parts for line in check_values(part, (*above, str(key)))]
    where = ".".join(above)
    if type(value) is int and abs(value) > LARGEST:
        return [
            f"{where}: found one of {value.bit_length():,} bits; allowed: whole numbers of at most {LARGEST:,}, for they have 64 bits"
        ]
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return []
    return [f"{where}: found {value}; allowed: finite numbers, and dates in quotes"]


def check_sizes(config: dict) -> list[str]:
    """Blocks that are too long to be given to a node as an argument."""
    sizes = {
        f"{kind}.{name}": len(json.dumps(part, default=str))
        for kind, block in config.items()
        if isinstance(block, dict)
        for name, part in block.items()
    }
    return [
        f"{key}: takes {size:,} characters as JSON; allowed: at most {LONGEST_BLOCK:,}; leave long texts and lists to a file"
        for key, size in sizes.items()
        if size > LONGEST_BLOCK
    ]


def check_references(config: dict) -> list[str]:
    """Names that point at nothing."""
    problems = []

    def need(kind: str, name: str, where: str) -> None:
        if name not in config[kind]:
            meant = (number_like(name) if kind == "schedules" else "") or did_you_mean(name, config[kind])
            problems.append(
                f"{where}: {name!r} is not among {kind}: {', '.join(config[kind]) or 'there are none'}{meant}"
            )

    for kind in ("benchmarks", "recipes"):
        for name, block in config[kind].items():
            need("problems", block["problems"], f"{kind}.{name}.problems")
    for number, block in enumerate(config["sweep"]):
        for kind in ("models", "recipes", "benchmarks"):
            for name in block[kind]:
                need(kind, name, f"sweep.{number}.{kind}")
        for budget in block["budgets"]:
            if isinstance(budget, str):
                need("schedules", budget, f"sweep.{number}.budgets")
    return problems


def check_stop_rules(config: dict, block: dict, where: str) -> list[str]:
    """A stop rule reads a benchmark that every point of its recipe is measured on, after each iteration."""
    problems = [
        f"recipes.{recipe}.stop.{name}.benchmark: {benchmark!r} is not among {where}.benchmarks: {', '.join(block['benchmarks'])}"
        for recipe in block["recipes"]
        for name, options in stop_rules(config["recipes"][recipe]).items()
        if (benchmark := options.get("benchmark")) not in (None, *block["benchmarks"])
    ]
    return problems + [
        f"benchmarks.{benchmark}.every: found {every}; allowed: 1, for recipes.{recipe}.stop.{name} reads it after each iteration"
        for recipe in block["recipes"]
        for name, options in stop_rules(config["recipes"][recipe]).items()
        if (benchmark := options.get("benchmark")) in block["benchmarks"]
        and (every := config["benchmarks"][benchmark]["every"]) > 1
    ]


def check_limits(config: dict, schema: dict) -> list[str]:
    """Values that are each allowed but do not fit together."""
    problems = check_results(config)
    problems += [line for name in config["schedules"] for line in check_schedule(config, name)]
    if problems:
        return problems
    for number, block in enumerate(config["sweep"]):
        problems += check_block(config, block, f"sweep.{number}")
        problems += check_stop_rules(config, block, f"sweep.{number}")
    options = defaults_of("rule", schema)
    for name in sorted({recipe for block in config["sweep"] for recipe in block["recipes"]}):
        gpus, nodes = (config["resources"]["sft"][key] for key in ("gpu", "nodes"))
        problems += check_memory_savers(config["recipes"][name]["sft"], gpus, nodes, f"recipes.{name}.sft")
        problems += check_rules(config["recipes"][name]["filter"], f"recipes.{name}.filter", options)
    for number, block in enumerate(config["replay"]):
        problems += check_rules(block, f"replay.{number}", options)
    for name, block in config["problems"].items():
        problems += check_reading(block, f"problems.{name}")
        problems += check_overlap(config["problems"], name)
    return list(dict.fromkeys(problems))


def check_results(config: dict) -> list[str]:
    """A results folder that commands take for an option, or below which each path is one that Snakemake warns of."""
    found = config["results"]
    if results_folder(config) != "." and not results_folder(config).startswith("-"):
        return []
    return [f"results: found {found!r}; allowed: another folder than the working directory, not begun with a dash"]


def check_block(config: dict, block: dict, where: str) -> list[str]:
    """What a block's budgets and benchmarks ask of its models' engines and of the estimators."""
    problems = []
    for model in block["models"]:
        context = engine_for(config, model)["context"]
        for budget in (largest_budget(schedule_of(config, name)) for name in block["budgets"]):
            if budget >= context:
                problems.append(
                    f"{where}.budgets: {budget} tokens and a prompt do not fit the context of model {model!r} "
                    f"(engine.context is {context}); allowed: at most {context - 1}"
                )
        for name in block["benchmarks"]:
            cap = config["benchmarks"][name]["max_tokens"]
            if cap >= context:
                problems.append(
                    f"benchmarks.{name}.max_tokens: {cap} and a prompt do not fit the context of model {model!r} "
                    f"(engine.context is {context}); allowed: at most {context - 1}"
                )
    for name in block["benchmarks"]:
        benchmark = config["benchmarks"][name]
        problems += check_curve(config["evaluate"]["budgets"], benchmark["max_tokens"], name)
        for key in ("pass_k", "maj_k", "g_pass_k"):
            for k in config["evaluate"][key]:
                if k > benchmark["samples"]:
                    problems.append(
                        f"evaluate.{key}: {k} is more than the samples of benchmark {name!r} ({benchmark['samples']}); "
                        f"allowed: at most that"
                    )
    return problems


def check_schedule(config: dict, name: str) -> list[str]:
    """A schedule has the keys that its kind needs, and they fit together."""
    block, where = config["schedules"][name], f"schedules.{name}"
    if block["kind"] == "steps":
        return [] if block["budgets"] else [f"{where}.budgets: is empty; steps needs at least one budget"]
    if block["start"] is None or block["start"] < block["floor"]:
        return [f"{where}.start: found {block['start']}; quantile needs a budget of at least `floor`, {block['floor']}"]
    return []


def check_memory_savers(sft: dict, gpus: int, nodes: int, where: str) -> list[str]:
    """What keeps the optimiser's state small: one way at a time."""
    found = [f"{where}.optimizer: adamw_8bit"] * (sft["optimizer"] == "adamw_8bit")
    found += [f"{where}.offload_optimizer: true"] * sft["offload_optimizer"]
    found += [f"resources.sft.nodes: {nodes}"] * (nodes > 1) or [f"resources.sft.gpu: {gpus}"] * (gpus > 1)
    return [f"{' and '.join(found)} do not go together; allowed: one of them"] if len(found) > 1 else []


def check_curve(budgets: list[int] | None, cap: int, benchmark: str) -> list[str]:
    """The cut-offs of the budget curve of a benchmark; an empty list stands for null."""
    if not budgets or (len(budgets) > 1 and budgets == sorted(set(budgets)) and budgets[-1] <= cap):
        return []
    return [
        f"evaluate.budgets: found {budgets}; allowed: null, or two or more in ascending order, none above "
        f"max_tokens of benchmark {benchmark!r} ({cap})"
    ]


def check_reading(block: dict, where: str) -> list[str]:
    """How a problem set's rows are chosen and where their answers are."""
    pattern, problems = block["answer_pattern"], check_template(block["template"], f"{where}.template")
    if pattern is not None:
        problems += check_pattern(pattern, f"{where}.answer_pattern", "its first group must hold the answer")
        if block["answer_from"] == "boxed":
            problems.append(f"{where}: answer_from: boxed and answer_pattern do not go together; allowed: one of them")
    if block["question_pattern"] is not None:
        problems += check_pattern(
            block["question_pattern"], f"{where}.question_pattern", "its first group must hold the question"
        )
    problems += check_options(block, where)
    for column, condition in block["filter"].items():
        if "matches" in condition:
            problems += check_pattern(condition["matches"], f"{where}.filter.{column}.matches")
    return problems


def check_options(block: dict, where: str) -> list[str]:
    """Keys about the options of a multiple choice, which go together."""
    columns, answer_from = block["columns"]["options"], block["answer_from"]
    if columns is None:
        needing = [f"answer_from: {answer_from}"] * (answer_from not in ("text", "boxed"))
        needing += ["shuffle_options: true"] * block["shuffle_options"]
        return [f"{where}: {key} needs columns.options, the column or the columns of the options" for key in needing]
    problems = []
    if block["verifier"] in ("math", "integer", "exact"):
        problems.append(
            f"{where}.verifier: found {block['verifier']!r}; allowed with columns.options, whose answers are letters: choice, or your own"
        )
    if block["columns"]["answer"] in columns and isinstance(columns, list) and not block["shuffle_options"]:
        problems.append(
            f"{where}.columns.options: the right option is always column {block['columns']['answer']!r}, so each answer would be the same "
            "letter; set shuffle_options: true"
        )
    return problems


def check_template(template: str, where: str) -> list[str]:
    """Names in braces that would reach the model as they stand."""
    unknown = [name for name in PLACE.findall(template) if name != "{question}"]
    return [
        f"{where}: found {name}; allowed: {{question}}, the one name in braces that is filled in" for name in unknown
    ]


def check_pattern(pattern: str, where: str, group: str | None = None) -> list[str]:
    """A regular expression; `group` says what its first group is for, None where it needs none."""
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        return [f"{where}: {pattern!r} is not a regular expression: {error}"]
    return [f"{where}: {pattern!r} has no group; {group}"] if group and not groups else []


def check_overlap(blocks: dict, name: str) -> list[str]:
    """The sets that a problem set is kept apart from: others, none of which waits for yet another."""
    where, wanted = f"problems.{name}.remove_overlap", blocks[name]["remove_overlap"]
    allowed = [other for other, block in blocks.items() if other != name and not block["remove_overlap"]]
    return [
        f"{where}: found {other!r}; allowed: other problem sets, without remove_overlap of their own: {', '.join(allowed)}"
        for other in wanted
        if other not in allowed
    ]


def stop_rules(recipe: dict) -> dict[str, dict]:
    """The stop rules of a recipe that are set, by name; none by default."""
    return {name: options for name, options in (recipe["stop"] or {}).items() if options is not None}


def results_folder(config: dict) -> str:
    """The folder of all results, as paths begin with it."""
    return os.path.normpath(os.path.expanduser(config["results"]))


def engine_for(config: dict, model: str) -> dict:
    """The engine block of a model: the global one with the model's own keys over it."""
    return {**config["engine"], **config["models"][model]["engine"]}


def schedule_of(config: dict, budget: int | str) -> dict:
    """The schedule that a budget of the sweep names, with the keys that its kind reads; a number is constant."""
    if isinstance(budget, int):
        return {"kind": "constant", "budget": budget}
    block = config["schedules"][budget]
    return {"kind": block["kind"], **{key: block[key] for key in SCHEDULE_KEYS[block["kind"]]}}
