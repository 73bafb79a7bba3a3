"""What differs between the settings with which a result was made and those with which it would be made now, in words.

Keys are named as in the configuration where a setting comes straight from it; those of a recipe without the recipe, which stands
in the name of the point.
"""

import json
import re

from opsft_flow.graph.code_record import code_change
from opsft_flow.points import Point

LONGEST_VALUE = 60

# For each kind of node, how a key of its settings is named, the first pattern that fits; {model} and the like are filled in from its place.
NAMES = {
    "base": [(r"model\.", "models.{model}."), (r"fingerprint", "the files of models.{model}.source")],
    "problems": [(r"problems\.", "problems.{name}."), (r"fingerprint", "the file of problems.{name}.source")],
    "generate": [
        (r"engine\.trust_remote_code", "models.{model}.trust_remote_code"),
        (r"(plain_prompts|thinking)", r"models.{model}.\1"),
        (r"rollouts\.max_tokens", "{cap}"),
        (r"rollouts\.", "{rollouts}."),
        (r"policy", "the sampled policy"),
    ],
    "verify": [(r"thinking", "models.{model}.thinking")],
    "filter": [(r"budget", "{cap}"), (r"schedule", "{cap}")],
    "sft": [(r"trust_remote_code", "models.{model}.trust_remote_code")],
    "evaluate": [(r"max_tokens", "{cap}")],
    "track": [
        (r"config\.recipe\.", ""),
        (r"config\.model\.", "models.{model}."),
        (r"config\.made_with\.weights", "the files of models.{model}.source"),
        (r"config\.", ""),
    ],
    "summary": [(r"sampling\.", "benchmarks."), (r"base\.", "the benchmarks of ")],
    "compare": [
        (r"resampling\.", "evaluate."),
        (r"max_tokens\.(.*)", r"benchmarks.\1.max_tokens"),
        (r"base\.", "the benchmarks of "),
    ],
    "timings": [(r"base\.", "the benchmarks of ")],
    "page": [(r"base\.", "the benchmarks of "), (r"assets", "the template of the page")],
}


def changes(old: dict, new: dict, at: str, codes: str) -> list[str]:
    """What differs between two settings of one node, one text each, such as `sft.lr: 0.0005 -> 0.001`.

    `at` is the folder of the results tree, or the problem set, that the node is named by; `codes` the folder of `record_code`.
    """
    differing = differences(old, new)
    texts = [
        f"{config_name(new['node'], key, at)}: {shown(before)} -> {shown(after)}"
        for key, (before, after) in differing.items()
        if not is_code(key)
    ]
    texts += point_changes(points_of(old), points_of(new))
    # A benchmark that comes or goes brings or takes the code of its verifier, and is named by its own keys.
    texts += [code_change(codes, *values) for key, values in differing.items() if is_code(key) and all(values)]
    return list(dict.fromkeys(texts)) or ["its settings changed"]


def differences(old: dict, new: dict) -> dict[str, tuple[object, object]]:
    """The values that differ, before and after, by their dotted paths; None where there is none."""
    before, after = dict(leaves(old)), dict(leaves(new))
    pairs = {key: (before.get(key), after.get(key)) for key in before | after}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def leaves(value: object, above: str = "") -> list[tuple[str, object]]:
    """Every value in nested dicts and lists of dicts, by its dotted path; the points of the sweep aside."""
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return [(above, value)]
    pairs = [(f"{above}.{key}" if above else str(key), part) for key, part in value.items()]
    return [leaf for path, part in pairs if path != "points" for leaf in leaves(part, path)]


def config_name(node: str, key: str, at: str) -> str:
    """The name of a key of a node's settings."""
    model, _, rest = at.partition("/")
    benchmark = re.search("/eval/([^/]+)", at)
    schedule = re.match("[^/]+/L-([^/]+)/", rest)
    budget = f"the budget of schedules.{schedule[1]}" if schedule else "the budget"
    fields = {
        "model": model,
        "name": at.rpartition("/")[2],
        "rollouts": f"benchmarks.{benchmark[1]}" if benchmark else "rollouts",
        "cap": f"benchmarks.{benchmark[1]}.max_tokens" if benchmark else budget,
    }
    for pattern, name in NAMES.get(node, []):
        if found := re.match(pattern, key):
            return rule_name(found.expand(name).format(**fields) + key[found.end() :])
    return rule_name(key)


def rule_name(key: str) -> str:
    """The name of a key of a chain of selection rules, which settings hold as a list; any other key as it is."""
    if not (found := re.match(r"filter\.(\d+)\.(?:options\.)?", key)):
        return key
    number, option = int(found[1]), key[found.end() :]
    return f"filter.then.{number - 1}.{option}" if number else f"filter.{option}"


def is_code(key: str) -> bool:
    """True for the key of a hash of code."""
    return key == "code" or key.startswith("config.made_with.code.")


def points_of(settings: dict) -> dict[str, dict]:
    """What the settings of a node say of each point of the sweep, by the point's path."""
    found = {}
    for block in settings.get("points", []):
        point = Point(block["model"], block["recipe"], block["budget"], block["seed"])
        found[point.path] = {key: value for key, value in block.items() if key not in vars(point)}
    return found


def point_changes(old: dict[str, dict], new: dict[str, dict]) -> list[str]:
    """Points that have come or gone, and what else differs of the others; an equal difference of several is told once."""
    texts = []
    for verb, points in (("added", new.keys() - old.keys()), ("dropped", old.keys() - new.keys())):
        if points:
            texts.append(f"{verb}: {min(points)}" + (f" and {len(points) - 1} more points" if len(points) > 1 else ""))
    for path in new:
        if path in old:
            pairs = differences(old[path], new[path])
            texts += [f"{key}: {shown(before)} -> {shown(after)}" for key, (before, after) in pairs.items()]
    if list(old) != list(new) and old.keys() == new.keys():
        texts.append("the order of the points")
    return texts


def shown(value: object) -> str:
    """A value in one line, cut where it is long."""
    text = "none" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 4]} ..."
