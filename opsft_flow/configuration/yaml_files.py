"""Read a file of the configuration as its writer meant it, or say in which line that cannot be: YAML forgives what is a mistake here."""

import difflib
import pathlib
import re

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from opsft_flow.errors import ConfigError

DEEPEST = 50
MOST_VALUES = 100_000
TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ["map", "seq", "str", "int", "float", "bool", "null", "merge", "timestamp", "value"]
}
# YAML 1.1 reads 010 as 8 and 1:30 as 90, and no as false; YAML 1.2 reads none of them so.
NUMBER_OF_ANOTHER_BASE = re.compile(r"[-+]?(0[0-9_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")


def lines_of(path: pathlib.Path) -> dict[str, str]:
    """The keys of a file, written `a.b.0.c`, and where each is: "overlay.yaml, line 3".

    Raises ConfigError, with the line, for what is no YAML in UTF-8, for keys that occur twice, anchors that hold themselves, and numbers
    that YAML 1.1 reads otherwise than they look.
    """
    text = text_of(path)
    if path.suffix == ".json":
        # JSON may be indented by tabs, and has none in its texts.
        text = text.replace("\t", " ")
    try:
        check_depth(text, path)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(syntax_error(error, text, path)) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(root, MappingNode):
        raise ConfigError(f"{path}, line 1: found no keys; allowed: `key: value`, such as `results: results`")
    found: dict[str, str] = {}
    walk(root, (), path, found)
    return found


def text_of(path: pathlib.Path) -> str:
    """The text of a file. Raises ConfigError where it cannot be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist{near(path)}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; allowed: a YAML or JSON file") from None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        found = f"byte 0x{content[error.start]:02x}"
        raise ConfigError(f"{path}, line {line}: found {found}, which is no UTF-8; save the file as UTF-8") from None


def near(path: pathlib.Path) -> str:
    """Where a file that is not there may be meant to be, to be added to a message."""
    others = [other for other in path.parent.glob("*") if other.suffix in (".yaml", ".yml", ".json")]
    close = difflib.get_close_matches(path.name, [other.name for other in others], n=1)
    return f"; did you mean {path.with_name(close[0])}?" if close else f" (working directory {pathlib.Path.cwd()})"


def check_depth(text: str, path: pathlib.Path) -> None:
    """Refuse what is nested too deep to be read, and an anchor that stands inside of itself."""
    above: list[str | None] = []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        where = f"{path}, line {event.start_mark.line + 1}"
        if isinstance(event, yaml.CollectionStartEvent):
            above.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            above.pop()
        elif isinstance(event, yaml.AliasEvent) and event.anchor in above:
            raise ConfigError(f"{where}: *{event.anchor} stands inside of &{event.anchor}, and so has no end")
        if len(above) > DEEPEST:
            raise ConfigError(f"{where}: nested more than {DEEPEST} deep; no key of a configuration is")


def syntax_error(error: yaml.MarkedYAMLError, text: str, path: pathlib.Path) -> str:
    """One line for an error of the YAML parser."""
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines()
    near_by = lines[max(0, mark.line - 1) : mark.line + 1]
    tabbed = next((line for line in reversed(near_by) if "\t" in line[: len(line) - len(line.lstrip())]), None)
    where = f"{path}, line {mark.line + 1}"
    if tabbed is not None or "'\\t'" in (error.problem or ""):
        return f"{where}: found a tab; YAML is indented by spaces alone"
    hint = ""
    if "mapping values" in (error.problem or ""):
        hint = "; a text with a colon stands in quotes"
    if isinstance(error, yaml.composer.ComposerError) and "document" in (error.context or ""):
        hint = "; a file holds one configuration, without `---` in the middle"
    context = f"{error.context}, " if error.context else ""
    return f"{where}: is no YAML: {context}{error.problem}{hint}"


def walk(node: Node, above: tuple[str, ...], path: pathlib.Path, found: dict[str, str]) -> None:
    """Note where each key below a node is. Raises ConfigError for what is not read as it looks."""
    if len(found) > MOST_VALUES:
        raise ConfigError(f"{path}: its anchors stand for more than {MOST_VALUES:,} values; write fewer out")
    where = f"{path}, line {node.start_mark.line + 1}"
    if node.tag not in TAGS:
        raise ConfigError(f"{where}: {'.'.join(above)}: found the tag {node.tag}; allowed: plain values, without tags")
    if isinstance(node, ScalarNode):
        check_scalar(node, ".".join(above), where)
    elif isinstance(node, SequenceNode):
        for number, item in enumerate(node.value):
            note(item, (*above, str(number)), item, path, found)
    else:
        first: dict[str, int] = {}
        for key, value in node.value:
            name = name_of_key(key, first, above, path)
            if name == "<<":
                walk(value, above, path, found)
            else:
                note(value, (*above, name), key, path, found)


def note(value: Node, keys: tuple[str, ...], at: Node, path: pathlib.Path, found: dict[str, str]) -> None:
    found[".".join(keys)] = f"{path}, line {at.start_mark.line + 1}"
    walk(value, keys, path, found)


def name_of_key(key: Node, first: dict[str, int], above: tuple[str, ...], path: pathlib.Path) -> str:
    """A key of a mapping as it is written; `first` has the lines of those before it, and gets this one's."""
    line = key.start_mark.line + 1
    block = ".".join(above) or "top level"
    if not isinstance(key, ScalarNode):
        raise ConfigError(
            f"{path}, line {line}: {block}: found {{...}} or [...] as a key; put a text with braces in quotes"
        )
    name = key.value
    if key.tag == "tag:yaml.org,2002:bool":
        raise ConfigError(f"{path}, line {line}: {block}: the key {name} is read as true or false; put it in quotes")
    if name in first:
        raise ConfigError(
            f"{path}, line {line}: {'.'.join((*above, name))} is there twice, first in line {first[name]}, and only the last would count; "
            "leave one"
        )
    first[name] = line
    return name


def check_scalar(node: ScalarNode, key: str, where: str) -> None:
    """Refuse a number that YAML 1.1 reads to another base than it looks."""
    number = node.tag.rpartition(":")[2] in ("int", "float")
    if number and node.style is None and NUMBER_OF_ANOTHER_BASE.fullmatch(node.value) and node.value.strip("-+0_"):
        raise ConfigError(
            f"{where}: {key}: found {node.value}, which YAML reads as {yaml.safe_load(node.value)!r}; "
            "write a number without a leading 0 or colons, or put it in quotes where it is text"
        )
