"""Which rows of a table count: a condition for each of some columns, written down as plain data.

A condition is a list of the values that are allowed (`[4, 5]`; null stands for an empty cell), or a dict in which all
that is given must hold: `matches` (a regular expression found somewhere in the text), `min` and `max` (bounds of a
number, themselves allowed) and `not` (values that are not allowed). Values are compared as they are written: 5 is 5.0
and "5"; booleans are true and false.
"""

import re

Condition = list | dict


def is_allowed(value: object, condition: Condition) -> bool:
    """Whether a cell meets its condition. Raises ValueError for a text where a number is needed."""
    if isinstance(condition, list):
        return is_among(value, condition)
    return (
        not is_among(value, condition.get("not", []))
        and ("matches" not in condition or re.search(condition["matches"], written(value) or "") is not None)
        and is_between(value, condition.get("min"), condition.get("max"))
    )


def is_among(value: object, allowed: list) -> bool:
    return written(value) in [written(each) for each in allowed]


def is_between(value: object, low: float | None, high: float | None) -> bool:
    """Whether a number lies within its bounds; an empty cell lies within none."""
    if low is None and high is None:
        return True
    if value is None:
        return False
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{value!r:.80} is no number") from None
    return (low is None or low <= number) and (high is None or number <= high)


def written(value: object) -> str | None:
    """A value as a configuration would write it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
