r"""Integers, as in GSM8K and AIME: how they are written does not matter, anything but one integer is refused.

Read as 1234: `1234`, `+1,234`, `1{,}234`, `$1,234$`, `\$1,234.00`, `1234.`, `1234\%`, `1234 \text{ cm}^2`.
"""

import re

from opsft.verify.errors import UnparseableAnswer, UnparseableGold

NEEDS_WORKERS = False
SELF_TEST = ((r"\$1,234.00", "1234", True), ("-7", "-7", True), ("12", "21", False), ("7", "-7", False))

MAX_DIGITS = 100

# Unit names hold no digits: `5 \text{ or 6}` is no integer.
INTEGER = re.compile(
    r"""
    (?: \\?\$ \s? )?                                                                  # currency
    (?P<sign> [+-]? ) \s?
    (?: \\?\$ \s? )?
    (?P<digits> \d{1,3} (?: (?: ,(?:\\!)? | \{,\} | \\, ) \d{3} )+ | \d+ )
    (?: \.0* )?
    \s? (?: \\?% )?
    (?: (?: \\[ ,;:] | [ ~] )* \\(?: text | mathrm | mbox ) \{ [^{}\d]* \} (?: \^ (?: \d | \{\d\} ) )? )?   # unit
    \.?
    """,
    re.VERBOSE | re.ASCII,
)


def read_integer(text: str) -> int | None:
    """The integer that `text` writes, None where it is anything else or has more than MAX_DIGITS digits."""
    text = " ".join(text.split())
    if len(text) > 1 and text[0] == text[-1] == "$":
        text = text[1:-1].strip()
    found = INTEGER.fullmatch(text)
    if not found:
        return None
    digits = re.sub(r"\D", "", found["digits"])
    return int(found["sign"] + digits) if len(digits) <= MAX_DIGITS else None


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
