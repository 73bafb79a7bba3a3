r"""Integers, as in GSM8K and AIME: how they are written does not matter, anything but one integer is refused.

Read as 1234: `1234`, `+1,234`, `1{,}234`, `\(1234\)`, `\$1,234.00`, `1234.`, `1234\%`, `1234 \text{ cm}^2`, `1234^\circ`, `\text{1234}`,
`x = 1234`, `1234 dollars`.
"""

import re

from opsft.verify.errors import UnparseableAnswer, UnparseableGold
from opsft.verify.latex.spelling import respell
from opsft.verify.latex.units import HedgedUnit, take_units

NEEDS_WORKERS = False
SELF_TEST = ((r"\$1,234.00", "1234", True), ("-7", "-7", True), ("12", "21", False), ("7", "-7", False))

MAX_DIGITS = 100

INTEGER = re.compile(r"(?P<sign>[+-]?) ?(?P<digits>\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d+)(?:\.0*)?\.?", re.ASCII)
NAMED = re.compile(r"(?!\s*-)[^=\d]*[a-zA-Z][^=\d]*=|=")
STYLED = re.compile(r"\\text ?\{([^{}]*\d[^{}]*)\}|\{([^{}]*)\}(?=\s*$)")


def read_integer(text: str) -> int | None:
    """The integer that `text` writes, None where it is anything else or has more than MAX_DIGITS digits."""
    try:
        text = respell(text)
        named = NAMED.match(text)
        text = text[named.end() :] if named else text
        opened = STYLED.fullmatch(text.strip())
        plain, factor, _ = take_units((opened[1] or opened[2]) if opened else text.rstrip("."))
    except (UnparseableAnswer, HedgedUnit):
        return None
    found = INTEGER.fullmatch(plain.strip())
    if not found:
        return None
    digits = re.sub(r"\D", "", found["digits"])
    return int(found["sign"] + digits) * factor if len(digits) <= MAX_DIGITS else None


def canonical(answer: str) -> str:
    """The integer in plain digits, and what is none as it stands, whitespace aside."""
    number = read_integer(answer)
    return " ".join(answer.split()) if number is None else str(number)


def check_gold(gold: str) -> None:
    """Raise UnparseableGold for a gold that is no integer."""
    if read_integer(gold) is None:
        raise UnparseableGold(f"gold {gold[:80]!r} is no integer of at most {MAX_DIGITS} digits")


def matches(answer: str, gold: str) -> bool:
    """Whether both write the same integer. Raises UnparseableAnswer for an answer that is no integer."""
    number = read_integer(answer)
    if number is None:
        raise UnparseableAnswer(f"answer {answer[:80]!r} is no integer of at most {MAX_DIGITS} digits")
    return number == read_integer(gold)
