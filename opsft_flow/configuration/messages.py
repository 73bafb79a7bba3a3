"""What is wrong with a value of the configuration, in one line: key, what was found, what is allowed, and how to write it."""

import difflib
import re
from collections.abc import Iterable

from jsonschema.exceptions import ValidationError

WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a block of keys",
    "null": "null",
}
"""The types of the schema."""
BOUNDS = {
    "minimum": "of at least",
    "exclusiveMinimum": "above",
    "maximum": "of at most",
    "exclusiveMaximum": "below",
}
EXPONENT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+")
"""A number as YAML 1.2 reads it; YAML 1.1 takes 1e-4 for text."""
WITH_UNIT = re.compile(r"\s*([-+]?[0-9][0-9_.]*)\s*[A-Za-z]+\s*")
LONGEST = 80


def lines_for(error: ValidationError) -> list[str]:
    """The lines of a validation error: one, or one for each key that is unknown."""
    where = ".".join(map(str, error.absolute_path))
    named = "propertyNames" in error.absolute_schema_path
    key = ".".join(filter(None, [where, str(error.instance) if named else ""])) or "top level"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = [str(name) for name in error.instance if name not in known]
        return [f"{'.'.join(filter(None, [where, name]))}: {unknown_key(name, known)}" for name in unknown]
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return [f"{key}: {', '.join(map(repr, missing))} is missing"]
    if error.validator in ("minItems", "minProperties") and not error.instance:
        return [f"{key}: is empty; at least one entry is needed"]
    if error.validator == "uniqueItems":
        return [f"{key}: found {shown(error.instance)}; allowed: {error.schema.get('allowed', 'each entry once')}"]
    if named and error.validator == "not":
        return [f"{key}: the name {error.instance!r} is taken by the results tree; choose another"]
    if named:
        return [f"{key}: found {shown(error.instance)}; allowed: {allowed(error.schema)}{name_like(error.instance)}"]
    return [
        f"{key}: found {shown(error.instance)}; allowed: {allowed(error.schema)}{hint(error.instance, error.schema)}"
    ]


def unknown_key(name: str, known: list[str]) -> str:
    return f"unknown key{did_you_mean(name, known) or '.'} Allowed: {', '.join(known)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question to be added to a message; nothing where no known name is like this one."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def shown(value: object) -> str:
    """A value as a user would write it, cut where it is long."""
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text):,} characters)"


def allowed(schema: dict) -> str:
    """What a schema allows, in words; its own, where it has some under `allowed`."""
    if "allowed" in schema:
        return schema["allowed"]
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    words = [f"{WORDS[kind]}{limits(kind, schema)}" for kind in kinds]
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def limits(kind: str, schema: dict) -> str:
    """The bounds of numbers, the lengths of text, and the entries of lists."""
    if kind in ("integer", "number"):
        return " " * bool(schema.keys() & BOUNDS.keys()) + " and ".join(
            f"{words} {schema[bound]:,}" for bound, words in BOUNDS.items() if bound in schema
        )
    if kind == "string" and ("minLength" in schema or "maxLength" in schema):
        longest = f"up to {schema['maxLength']:,} characters" if "maxLength" in schema else "at least one character"
        return f" of {longest}"
    items = schema.get("items", {})
    return f", each entry {allowed(items)}" if kind == "array" and ("type" in items or "enum" in items) else ""


def hint(value: object, schema: dict) -> str:
    """How the value was probably meant, to be added to a message."""
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if value is None and "default" in schema:
        return f"; without the key it is {shown(schema['default'])}"
    if "array" in kinds and not isinstance(value, list | dict | None):
        return f"; write [{value}]"
    if isinstance(value, list) and len(value) == 1 and "array" not in kinds:
        return f"; write {value[0]}"
    if isinstance(value, dict) and "string" in kinds:
        return "; a text with braces or a colon stands in quotes"
    if isinstance(value, str):
        return number_like(value, kinds) or did_you_mean(value, schema.get("enum", schema.get("examples", [])))
    if isinstance(value, bool | int | float) and kinds and not {"integer", "number", "boolean"} & set(kinds):
        return f"; write '{shown(value)}', in quotes"
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return f"; write {int(value)}"
    return ""


def number_like(text: str, kinds: Iterable[str] = ("integer", "number")) -> str:
    """How to write a text that is a number, or a number with a unit, where a number is allowed; nothing for other texts."""
    if not {"integer", "number"} & set(kinds):
        return ""
    try:
        number = float(text.strip().removesuffix("%"))
    except ValueError:
        return "; write the number alone, without a unit" if WITH_UNIT.fullmatch(text) else ""
    number = number / 100 if text.strip().endswith("%") else number
    return f"; write {int(number) if number.is_integer() else number}, without quotes" if abs(number) < 1e18 else ""


def name_like(name: object) -> str:
    """A name that is allowed and like one that is not."""
    close = re.sub("[^A-Za-z0-9._-]+", "-", str(name)).strip("-._")[:64]
    return f", such as {close!r}" if close not in ("", name) else ""


def as_written(line: str, given: dict) -> str:
    """A line that begins with a key, with the key under which the user wrote what it is about: that of `axes`, or of a recipe that it is like."""
    if found := re.match(r"sweep\.([0-9]+)\.(\w+)", line):
        sweep, number = given.get("sweep"), int(found[1])
        block = sweep[number] if isinstance(sweep, list) and number < len(sweep) else {}
        axes = given.get("axes")
        inherited = isinstance(block, dict) and found[2] not in block and isinstance(axes, dict) and found[2] in axes
        return f"axes.{found[2]}{line[found.end() :]}" if inherited else line
    recipes = given.get("recipes")
    for name, block in recipes.items() if isinstance(recipes, dict) else ():
        prefix, rest = f"recipes.{name}.", line.removeprefix(f"recipes.{name}.")
        if line.startswith(prefix) and isinstance(block, dict) and "like" in block:
            keys = re.match(r"[\w.]+", rest)[0].split(".")
            if not has(block, keys) and has(recipes.get(block["like"]), keys[:1]):
                return as_written(f"recipes.{block['like']}.{rest}", given)
    return line


def has(block: object, keys: list[str]) -> bool:
    """True where a value is given below a block under all these keys."""
    for key in keys:
        if isinstance(block, list) and key.isdigit() and int(key) < len(block):
            block = block[int(key)]
        elif isinstance(block, dict) and key in block:
            block = block[key]
        else:
            return False
    return True


def located(message: str, lines: dict[str, str]) -> str:
    """A message whose lines begin with keys, each with the file and line in which the nearest such key is written."""
    return "\n".join(with_place(line, lines) for line in message.splitlines())


def with_place(line: str, lines: dict[str, str]) -> str:
    key = line.strip().partition(": ")[0]
    while key and key not in lines:
        key = key.rpartition(".")[0]
    return f"{line} ({lines[key]})" if key else line
