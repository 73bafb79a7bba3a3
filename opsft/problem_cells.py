"""What a row holds in a column: nested values by their path, cells as text."""

import datetime
import decimal
import math

MISSING = object()
"""Where a path leads to nothing, not even to an empty cell."""
WRITTEN = (str, int, float, decimal.Decimal, datetime.date)
"""Types of cells that are read as a text."""


def find_at(row: dict, column: str) -> object:
    """What a row holds in a column, MISSING where the path leads nowhere.

    Dots lead into nested values: `reward_model.ground_truth` is a key of a dict, `prompt.0.content` one of the first of a list.
    """
    value: object = row
    for part in parts_of(row, column):
        value = step_into(value, part)
    return value


def parts_of(row: dict, column: str) -> list[str]:
    return [column] if column in row else column.split(".")


def step_into(value: object, part: str) -> object:
    if isinstance(value, dict):
        return value.get(part, MISSING)
    if isinstance(value, list) and part.lstrip("-").isdecimal() and -len(value) <= int(part) < len(value):
        return value[int(part)]
    return MISSING


def value_at(row: dict, column: str) -> object:
    """The same with None where there is nothing: no value, an empty list, or NaN, which table libraries write for an empty cell."""
    value = find_at(row, column)
    is_nothing = value is MISSING or value == [] or (isinstance(value, float) and math.isnan(value))
    return None if is_nothing else value


def text_at(row: dict, column: str | None) -> str | None:
    """What a row holds in a column, as text. Raises ValueError for what is not one text or number."""
    value = None if column is None else value_at(row, column)
    return None if value is None else as_text(value, column)


def joined_at(row: dict, column: str) -> str | None:
    """The same, with the texts of a list joined by commas."""
    value = value_at(row, column)
    if not isinstance(value, list):
        return text_at(row, column)
    return ", ".join(as_text(each, column).strip() for each in value)


def as_text(value: object, column: str) -> str:
    """A cell as text; `column` names it in messages. Raises ValueError for what is not one text or finite number."""
    if not isinstance(value, WRITTEN) or (isinstance(value, float) and math.isinf(value)):
        raise ValueError(
            f"column {column!r} holds {describe(value)}; a text or a number is needed{hint(value, column)}"
        )
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise ValueError(f"column {column!r} holds half of a surrogate pair, which is no character") from None
    return str(value)


def describe(value: object) -> str:
    """A cell of another type, in few words."""
    if isinstance(value, dict):
        return f"a dict of {', '.join(map(str, value)) or 'nothing'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return f"{len(value):,} bytes" if isinstance(value, bytes) else f"{value!r:.80}"


def hint(value: object, column: str) -> str:
    """Where in a nested cell the text may be."""
    if isinstance(value, dict) and value:
        return f", such as {column + '.' + str(next(iter(value)))!r}"
    return f", such as {column + '.0'!r}" if isinstance(value, list) else ""


def end_of(row: dict, column: str) -> str:
    """How far a path that leads nowhere leads, and what is there."""
    value, walked = row, []
    for part in parts_of(row, column):
        deeper = step_into(value, part)
        if deeper is MISSING:
            break
        value, walked = deeper, [*walked, part]
    return f"{'.'.join(walked)!r} holds {describe(value)}"
