r"""Mathematical equality of LaTeX, by the `math-verify` library.

It is not used as it comes, because wrong or hedged answers would pass and right ones fail:

1. The answer is read whole, as LaTeX. The library's fall-backs would pick a number or a fraction out of any text.
2. Its time limits are off: they use SIGALRM, which outside the main thread turns every comparison into "different".
   The worker processes of `opsft.verify.pool` limit time and memory instead.
3. `1\,234` and `1 234` are 1234, as is `1,234`. Other numbers side by side (`5 6`, to the library 11) are refused.
4. Units at the end are taken off here (`8 \text{ cm}^2`, `8 \mathrm{~km} / \mathrm{h}`); units that hold digits are
   refused. The library takes off all from the first `\text` (`5 \text{ h and } 30 \text{ min}` is 5) and single letters
   (`2c` is 2).

Equality is symbolic: an unevaluated expression (`48 + 24`) matches its value. Where that is not wanted, use `integer`.
"""

import logging
import re
from functools import lru_cache

from latex2sympy2_extended import NormalizationConfig
from math_verify import LatexExtractionConfig
from math_verify import parse as parse_latex
from math_verify import verify as are_equal

from opsft.verify.errors import UnparseableAnswer, UnparseableGold
from opsft.verify.extract import MAX_ANSWER_CHARS

NEEDS_WORKERS = True
SELF_TEST = (
    (r"\frac{2}{4}", "0.5", True),
    (r"x^2 - 1", "(x-1)(x+1)", True),
    (r"\left(3, \pi/2\right)", r"(3, \frac{\pi}{2})", True),
    (r"\frac{1}{3}", r"\frac{1}{2}", False),
    ("x + 1", "x - 1", False),
)

WHOLE_BOX = LatexExtractionConfig(
    try_extract_without_anchor=False,
    boxed_match_priority=0,
    normalization_config=NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="last"),
)

SPACE = r"(?:\s|~|\\[,;:! ]|\\q?quad(?![A-Za-z]))"
THOUSANDS = re.compile(rf"(?<![\d.])\d{{1,3}}(?:{SPACE}\d{{3}})+(?!\d)", re.ASCII)
SIDE_BY_SIDE = re.compile(rf"\d{SPACE}+\d", re.ASCII)
UNIT_NAME = r"\\(?:text|mbox|mathrm)\s*\{[^{}]*"
UNITS = re.compile(rf"(?:\s*(?:/|\\cdot)?\s*{UNIT_NAME}\}}(?:\^\d|\^\{{-?\d\}})?)+$", re.ASCII)
# `x = \text{east}` and `3, \text{even}` end in no unit.
NO_QUANTITY_ENDS = "=<>,:;+-*/("

# It warns, once a worker, that its time limits are off.
logging.getLogger("math_verify").setLevel(logging.ERROR)


def check_gold(gold: str) -> None:
    """Raise UnparseableGold for a gold that is empty, too long or unreadable."""
    if not gold.strip() or len(gold) > MAX_ANSWER_CHARS:
        raise UnparseableGold(f"gold {gold[:80]!r} has {len(gold)} characters: 1 to {MAX_ANSWER_CHARS} are needed")
    try:
        parsed = _parse(gold)
    except UnparseableAnswer as error:
        raise UnparseableGold(str(error)) from error
    if not parsed:
        raise UnparseableGold(f"gold {gold[:80]!r} cannot be read as LaTeX")


def matches(answer: str, gold: str) -> bool:
    """Whether the two are mathematically equal, or the same text after normalisation.

    Raises UnparseableAnswer for an answer that is not the text of the gold and cannot be read as LaTeX.
    """
    parsed_gold, parsed_answer = _parse(gold), _parse(answer)
    # The texts come last and are compared first, because that is cheap.
    if are_equal(parsed_gold[::-1], parsed_answer[::-1], timeout_seconds=None):
        return True
    if all(isinstance(reading, str) for reading in parsed_answer):
        raise UnparseableAnswer(f"answer {answer[:80]!r} cannot be read as LaTeX")
    return False


@lru_cache(maxsize=256)
def _parse(text: str) -> list:
    """The readings of `text`: a sympy object where it can be read, then the normalised text."""
    text = _tidy(text)
    return parse_latex(rf"\boxed{{{text}}}", [WHOLE_BOX], extraction_mode="first_match", parsing_timeout=None)


def _tidy(text: str) -> str:
    """`text` without thousands separators and units. Raises UnparseableAnswer for numbers that no operator joins."""
    text = THOUSANDS.sub(lambda number: re.sub(r"\D", "", number[0]), text.strip())
    units = UNITS.search(text)
    quantity = text[: units.start()] if units else ""
    if quantity and quantity[-1] not in NO_QUANTITY_ENDS:
        if re.search(rf"{UNIT_NAME}\d", units[0]):
            raise UnparseableAnswer(f"units {units[0][:80]!r} hold a number")
        text = quantity
    if SIDE_BY_SIDE.search(text):
        raise UnparseableAnswer(f"{text[:80]!r} holds numbers side by side")
    return text
