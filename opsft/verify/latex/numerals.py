r"""Numbers as people write them, and the exact value of a text that is one number.

`rewrite` gives the parser one way to write each: `1\,234` and `1,234` become `1234`, `4.5e33` becomes `4.5 \cdot 10^{33}`,
`0.\overline{3}` and `0.333\ldots` become the fraction `\frac{3}{9}`, `2 1/2` becomes `2\frac{1}{2}`.
"""

import re
from fractions import Fraction

MAX_EXPONENT = 5000
"""Of a power of ten that is written out."""

SIGN = r"[+-]?"
DIGITS = r"(?:\d+(?:\.\d*)?|\.\d+)"
DECIMAL = re.compile(rf"{SIGN}{DIGITS}", re.ASCII)
# Groups of three, and neither another digit nor another group beside them: `1,234, 5` holds a number, `1,234,5` does not.
THOUSANDS = re.compile(r"(?<![\d.,])(?P<first>\d{1,3})(?P<rest>(?:,\d{3})+)(?![\d]|,\d)", re.ASCII)
SPACED_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?!\d| \d)", re.ASCII)
E_NOTATION = re.compile(rf"(?<![a-zA-Z\d.\\])({DIGITS})\s?[eE]([+-]?\d+)(?![\d.])", re.ASCII)
REPEATING = re.compile(r"(\d+)\.(\d*)\s*(?:\\(?:overline|bar|overset)\s*\{(\d+)\}|\((\d+)\))", re.ASCII)
ELLIPSIS = re.compile(r"(\d+)\.(\d+?)\s*(?:\\ldots|\.\.\.+)", re.ASCII)
MIXED = re.compile(r"(?<![\d./}])(\d+)\s+(\d+)\s*/\s*(\d+)(?![\d.])", re.ASCII)
SIMPLE_FRACTION = re.compile(
    r"\s*([+-]?)\s*(?:\\frac\s*\{\s*(-?\d+)\s*\}\s*\{\s*(\d+)\s*\}|(\d+)\s*/\s*(\d+))\s*", re.ASCII
)
SCIENTIFIC = re.compile(
    rf"({SIGN}{DIGITS})\s*(?:\\times|\\cdot|\*)\s*10\s*\^\s*(?:\{{\s*({SIGN}\d+)\s*\}}|(\d))", re.ASCII
)


def rewrite(text: str) -> str:
    """`text` with each number written in one way."""
    text = without_thousands(text)
    text = E_NOTATION.sub(r"\1 \\cdot 10^{\2}", text)
    text = REPEATING.sub(lambda found: _repeating(found[1], found[2], found[3] or found[4]), text)
    text = ELLIPSIS.sub(_continued, text)
    return MIXED.sub(r"\1\\frac{\2}{\3}", text)


def without_thousands(text: str) -> str:
    """`text` without separators of thousands, except inside brackets, where a comma separates elements."""
    text = SPACED_THOUSANDS.sub(lambda number: number[0].replace(" ", ""), text)
    if "," not in text or re.search(r"[(\[]|\\\{|\\langle|\\begin", text):
        return text
    return THOUSANDS.sub(lambda number: number[0].replace(",", ""), text)


def _continued(found: re.Match) -> str:
    """A decimal whose last digits repeat three times, or a block of several twice, as a fraction; any other stays as it is."""
    digits = found[2]
    for length in range(1, len(digits) // 2 + 1):
        block, times = digits[-length:], 3 if length == 1 else 2
        if digits.endswith(block * times):
            start = len(digits)
            while digits[:start].endswith(block):
                start -= length
            return _repeating(found[1], digits[:start], block)
    return found[0]


def _repeating(whole: str, fixed: str, block: str) -> str:
    scale = 10 ** len(fixed)
    nines = (10 ** len(block) - 1) * scale
    value = Fraction(int(whole + fixed), scale) + Fraction(int(block), nines)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def read_numeral(text: str) -> Fraction | None:
    """The value of one integer, decimal, simple fraction or number in scientific notation; None for anything else."""
    text = text.strip()
    if DECIMAL.fullmatch(text):
        return Fraction(text)
    found = SIMPLE_FRACTION.fullmatch(text)
    if found:
        top, bottom = int(found[2] or found[4]), int(found[3] or found[5])
        return Fraction(-top if found[1] == "-" else top, bottom) if bottom else None
    found = SCIENTIFIC.fullmatch(text)
    if found:
        exponent = int(found[2] or found[3])
        return Fraction(found[1]) * Fraction(10) ** exponent if abs(exponent) <= MAX_EXPONENT else None
    return None
