r"""Mathematical equality of LaTeX, by the `math-verify` library.

It is not used as it comes, because wrong or hedged answers would pass and right ones fail:

1. The answer is read whole, as LaTeX. The library's fall-backs would pick a number or a fraction out of any text.
2. Its time limits are off: they use SIGALRM, which outside the main thread turns every comparison into "different".
   The worker processes of `opsft.verify.pool` limit time and memory instead.
3. `1\,234` and `1 234` are 1234, as is `1,234`. Other numbers side by side (`5 6`, to the library 11) are refused.
4. Units at the end are taken off here (`8 \text{ cm}^2`, `8 \mathrm{~km} / \mathrm{h}`); units that hold digits are
   refused. The library takes off all from the first `\text` (`5 \text{ h and } 30 \text{ min}` is 5) and single letters
   (`2c` is 2).

5. Numbers with different bases differ (`52_8`, `52_9`), and decimals near 0 are compared to six significant digits. The library ignores the bases,
   and compares to six decimals, for which 0.0000672 is 0.0000673.
6. Arithmetic left undone (`48 + 24` for 72) is no answer: see `leaves_arithmetic_undone`.
7. sympy is kept from running text as Python: see `opsft.verify.no_eval`.

Equality is symbolic otherwise: `\sqrt{117}` is `3\sqrt{13}`, `(x-1)(x+1)` is `x^2-1`, `2^{10}` is 1024.
"""

import logging
import math
import re
from functools import lru_cache
from itertools import accumulate

from latex2sympy2_extended import NormalizationConfig
from math_verify import LatexExtractionConfig
from math_verify import parse as parse_latex
from math_verify import verify as are_equal
from math_verify.grader import is_equation, take_last_relation
from sympy import Add, Basic, Mul, Number, Pow, factorial, preorder_traversal

from opsft.verify import no_eval  # noqa: F401
from opsft.verify.errors import UnevaluatedAnswer, UnparseableAnswer, UnparseableGold
from opsft.verify.extract import MAX_ANSWER_CHARS
from opsft.verify.integer import read_integer

NEEDS_WORKERS = True
SELF_TEST = (
    (r"\frac{2}{4}", "0.5", True),
    ("2(x + 1)", "2x + 2", True),
    (r"\left(3, \pi/2\right)", r"(3, \frac{\pi}{2})", True),
    (r"\frac{1}{3}", r"\frac{1}{2}", False),
    ("x + 1", "x - 1", False),
)

WHOLE_BOX = LatexExtractionConfig(
    try_extract_without_anchor=False,
    boxed_match_priority=0,
    normalization_config=NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="last"),
)

MAX_DEPTH = 30
"""Brackets inside brackets. The parser's time grows steeply with them; a nested fraction of an honest answer has four or five."""

SPACE = r"(?:\s|~|\\[,;:! ]|\\q?quad(?![A-Za-z]))"
THOUSANDS = re.compile(rf"(?<![\d.])\d{{1,3}}(?:{SPACE}\d{{3}})+(?!\d)", re.ASCII)
BASE = re.compile(r"\d\s*_\s*(?:\{\s*(?P<braced>\d+)\s*\}|(?P<bare>\d))", re.ASCII)
SIDE_BY_SIDE = re.compile(rf"\d{SPACE}+\d", re.ASCII)
UNIT_NAME = r"\\(?:text|mbox|mathrm)\s*\{[^{}]*"
UNITS = re.compile(rf"(?:\s*(?:/|\\cdot)?\s*{UNIT_NAME}\}}(?:\^\d|\^\{{-?\d\}})?)+$", re.ASCII)
LAYOUT = re.compile(r"\\(?:left|right|displaystyle)(?![A-Za-z])|\$")
LAYOUT_SPACE = re.compile(r"(?:(?<!\\)\\[!,;: ]|[~\s])+")
FRACTION = re.compile(r"\\[dt]frac(?![A-Za-z])")
# `x = \text{east}` and `3, \text{even}` end in no unit.
NO_QUANTITY_ENDS = "=<>,:;+-*/("

# It warns, once a worker, that its time limits are off.
logging.getLogger("math_verify").setLevel(logging.ERROR)


def canonical(answer: str) -> str:
    r"""The answer without what LaTeX sets it with: spaces, dollars, `\left`, `\dfrac`; an integer in plain digits. Equal values in other forms stay apart."""
    number = None if "%" in answer else read_integer(answer)
    if number is not None:
        return str(number)
    # Between digits a space tells numbers apart: `1 1/2` is not `11/2`.
    text = LAYOUT_SPACE.sub(" ", FRACTION.sub(r"\\frac", LAYOUT.sub("", answer)))
    return re.sub(r"(?<!\d) | (?!\d)", "", text).removesuffix(".")


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

    Raises UnparseableAnswer for an answer that is not the text of the gold and cannot be read as LaTeX, and UnevaluatedAnswer for one
    that leaves arithmetic undone which the gold does not.
    """
    parsed_gold, parsed_answer = _parse(gold), _parse(answer)
    # The texts come last and are compared first, because that is cheap.
    if are_equal(parsed_gold[::-1], parsed_answer[::-1], float_rounding=_decimals(parsed_gold), timeout_seconds=None):
        if _bases(gold) and _bases(answer) and _bases(gold) != _bases(answer):
            return False
        if leaves_arithmetic_undone(parsed_answer) and not leaves_arithmetic_undone(parsed_gold):
            raise UnevaluatedAnswer(f"answer {answer[:80]!r} has the value of {gold[:80]!r}, but is not evaluated")
        return True
    if all(isinstance(reading, str) for reading in parsed_answer):
        raise UnparseableAnswer(f"answer {answer[:80]!r} cannot be read as LaTeX")
    return False


def _decimals(gold: list) -> int:
    """To how many decimals a number is compared with a gold: six significant digits where it is less than 1."""
    number = gold[0] if gold and isinstance(gold[0], Number) else 1
    return 6 if number == 0 or abs(number) >= 1 else 5 - math.floor(math.log10(abs(number)))


def _bases(text: str) -> list[str]:
    """The bases that the numbers of a text are written in, where it says so."""
    return [base["braced"] or base["bare"] for base in BASE.finditer(text)]


def leaves_arithmetic_undone(readings: list) -> bool:
    """Whether the answer, or a part of it, is a sum or product of numbers that was not carried out.

    Under a length budget a policy learns to stop before the last addition if `48 + 24` pays as much as 72. A fraction, a
    mixed number, `1.2 \\times 10^3`, and a power, root or factorial by itself are forms of a number. Of `40 + 32 = 72` the
    last part counts.
    """
    reading = readings[0] if readings else None
    if is_equation(reading):
        reading = take_last_relation(reading).rhs
    return any(isinstance(node, Basic) and _is_undone(node) for node in preorder_traversal(reading))


def _is_undone(node: Basic) -> bool:
    if node.func is Add:
        return sum(map(_is_arithmetic, node.args)) > 1
    return node.func is Mul and sum(isinstance(part, Number) and part != -1 for part in node.args) > 1


def _is_arithmetic(node: Basic) -> bool:
    """Whether the node is a number, or operations on numbers; told by its form, for to evaluate it could take forever."""
    if node.func is Pow and not node.exp.is_Integer:
        return False
    return isinstance(node, Number) or (node.func in (Add, Mul, Pow, factorial) and all(map(_is_arithmetic, node.args)))


@lru_cache(maxsize=256)
def _parse(text: str) -> list:
    """The readings of `text`: a sympy object where it can be read, then the normalised text."""
    text = _tidy(text)
    return parse_latex(rf"\boxed{{{text}}}", [WHOLE_BOX], extraction_mode="first_match", parsing_timeout=None)


def _depth(text: str) -> int:
    """How deep brackets of any kind are nested; a closing one that closes nothing takes one off all the same."""
    steps = (1 if character in "{([" else -1 for character in text if character in "{([])}")
    return max(accumulate(steps, initial=0))


def _tidy(text: str) -> str:
    """`text` without thousands separators and units.

    Raises UnparseableAnswer for numbers that no operator joins, and for brackets nested too deep.
    """
    if _depth(text) > MAX_DEPTH:
        raise UnparseableAnswer(f"{text[:80]!r} holds brackets nested more than {MAX_DEPTH} deep")
    text = THOUSANDS.sub(lambda number: re.sub(r"\D", "", number[0]), text.strip().removesuffix("."))
    units = UNITS.search(text)
    quantity = text[: units.start()] if units else ""
    if quantity and quantity[-1] not in NO_QUANTITY_ENDS:
        if re.search(rf"{UNIT_NAME}\d", units[0]):
            raise UnparseableAnswer(f"units {units[0][:80]!r} hold a number")
        text = quantity
    if SIDE_BY_SIDE.search(text):
        raise UnparseableAnswer(f"{text[:80]!r} holds numbers side by side")
    return text
