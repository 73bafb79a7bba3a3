"""Selection rules that are applied in turn, as the settings of a node hold them: {rule, options} each."""

from opsft_flow.graph.own_code import is_own, load_own


def loaded(rules: list[dict]) -> list[tuple[str, dict]]:
    """The rules as `opsft.selection.interface.select` takes them; those of the user's own have been imported.

    Raises ConfigError where one cannot be.
    """
    for rule in rules:
        if is_own(rule["rule"]):
            load_own(rule["rule"], "filter.rule")
    return [(rule["rule"], rule["options"]) for rule in rules]


def label_of(rules: list[dict]) -> str:
    """The rules in one line, such as `reject_trivial, shortest_k(k=2)`."""
    return ", ".join(rule["rule"] + arguments(rule["options"]) for rule in rules)


def arguments(options: dict) -> str:
    text = ", ".join(f"{key}={value}" for key, value in sorted(options.items()))
    return f"({text})" if text else ""
