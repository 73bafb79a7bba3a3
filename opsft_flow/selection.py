"""The selection rules that a `filter` block of the configuration names, as the settings of a node hold them."""

import difflib

from opsft.selection.rules import RULES
from opsft_flow.errors import ConfigError
from opsft_flow.graph.code_hash import code_hash
from opsft_flow.graph.own_code import is_own, own_hash


def chosen_rules(block: dict) -> list[dict]:
    """The rules of a `filter` block in the order in which they are applied, each with the options that it reads and no others."""
    return [{"rule": step["rule"], "options": options_of(step)} for step in (block, *block["then"])]


def options_of(step: dict) -> dict:
    """What one rule is given: a rule of the user's own gets `options`, the others the keys that they read."""
    if is_own(step["rule"]):
        return step["options"]
    return {key: step[key] for key in keys_read(step["rule"])}


def keys_read(name: str) -> tuple[str, ...]:
    """The keys that a rule reads, beside its name."""
    return ("options",) if is_own(name) else tuple(RULES[name])


def rules_code(script: str, rules: list[dict]) -> str:
    """The hash of the code that a script runs with these rules."""
    names = list(dict.fromkeys(rule["rule"] for rule in rules))
    modules = tuple(f"opsft.selection.{name}" for name in names if not is_own(name))
    return "-".join([code_hash(script, modules), *(own_hash(name, "filter.rule") for name in names if is_own(name))])


def check_rules(block: dict, where: str, defaults: dict) -> list[str]:
    """What is wrong with the rules of a `filter` block, one line each; `where` is its key, `defaults` are those of the options."""
    steps = [(block, where), *((step, f"{where}.then.{i}") for i, step in enumerate(block["then"]))]
    return [
        problem
        for step, key in steps
        for problem in check_rule(step["rule"], f"{key}.rule") or check_options(step, key, defaults)
    ]


def check_options(step: dict, where: str, defaults: dict) -> list[str]:
    """Options that were given to a rule that does not read them: most likely those of another were meant."""
    read = keys_read(step["rule"])
    return [
        f"{where}.{key}: found {step[key]!r}, and {step['rule']} does not read it (it reads {', '.join(read) or 'no option'}); "
        f"leave it out, or at {default!r} where another recipe or overlay has set it"
        for key, default in defaults.items()
        if key not in read and step[key] != default
    ]


def check_rule(name: str, where: str) -> list[str]:
    if is_own(name):
        try:
            own_hash(name, where)
        except ConfigError as error:
            return [str(error)]
    elif name not in RULES:
        close = difflib.get_close_matches(name, RULES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        return [f"{where}: found {name!r}{hint} Allowed: {', '.join(RULES)}, or package.module:function of your own"]
    return []
