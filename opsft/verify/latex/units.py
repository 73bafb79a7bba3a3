r"""What follows a number: units, which are not compared; percent signs; words that multiply.

A unit is a known abbreviation, a name in `\text{…}`, or a word of four letters and more that stands apart from its number. Words that make
another statement of the number (`or`, `not`, `at least`) are no units. A single letter that is not in `\text` is a factor.
"""

import re

MULTIPLIERS = {
    "dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip
# Words that say something of the number other than what it counts.
NO_UNIT_WORDS = (
    "or and not is isn are was no nor but maybe perhaps if than then least most more less fewer about approximately around between to "
    "wrong false either neither however except unless times plus minus over both all any none impossible infinite undefined "
    "half third quarter double triple twice mod modulo base also where when with remainder dozens hundreds thousands millions "
    "halves thirds fifths sixths eighths tenths hundredths thousandths tens factorial unknown guess doubled"
)
NO_UNIT = frozenset(NO_UNIT_WORDS.split())
UNKNOWNS = frozenset("xyznkM")
"""Letters that name a number or a factor, in `\\text` too."""
POWER_WORDS = frozenset({"squared", "cubed"})
"""What is no unit right after a number, but `5 \\text{ cm squared}` is."""
ABBREVIATIONS = (
    "mm|cm|dm|km|kg|mg|ml|mL|kL|ft|lb|lbs|oz|mi|yd|hr|hrs|min|mins|sec|secs|ms|mph|kph|Hz|kHz|MHz|GHz|Pa|kPa|kJ|kW|eV|keV|MeV|GeV|mol|cc|sq|units?"
    "|days?|cats?|dogs?|men|ways?|years?|feet|inch|inches|nm|rad|cal|kcal|gal|ohms?|USD|EUR|AU|pc|Mpc|kpc|erg|ergs|cents?|deg|km/h|m/s|cm/s"
)
POWER = r"(?:\s*\^\s*(?:\{\s*-?\d\s*\}|-?\d))?"
TEXT = r"\\text\s*\{(?!\s*[ei]\s*\})[^{}]*\}"
NAMED = rf"(?:{TEXT}|\\Omega|\\mu)"
ONE = rf"(?:{NAMED}{POWER}|\\frac\s*\{{\s*{NAMED}{POWER}\s*\}}\s*\{{\s*{NAMED}{POWER}\s*\}}|\^\s*(?:\{{\s*\\circ\s*\}}|\\circ)(?:\s*[CF](?![a-zA-Z]))?)"
BARE = rf"(?:{ABBREVIATIONS}|[a-zA-Z]{{4,}})(?:(?:\s+|\s?/\s?)[a-zA-Z]+){{0,3}}\.?{POWER}"
# No quantifier holds another here, and each part begins with a sign of its own: no text makes it backtrack.
STEP = re.compile(rf"\s*(?:/|\\cdot|\\times)?\s*{ONE}\s*$", re.ASCII)
BARE_END = re.compile(rf"(?<=[\d}}!)])(?P<space>\s*)(?P<words>{BARE})\s*$", re.ASCII)
WORD = re.compile(r"[a-zA-Z]+")
PERCENT = re.compile(r"\s*\\?%\s*$")
DEGREES = re.compile(r"\\circ")
ANGLE_FUNCTION = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")
# `x = \text{east}` and `3, \text{even}` end in no unit.
NO_QUANTITY_ENDS = "=<>,:;+-*/(^_{|"
MAX_STEPS = 8


class HedgedUnit(ValueError):
    """What follows the number is not a unit, but says something else of it."""


def take_units(text: str) -> tuple[str, int, bool]:
    """`text` without what follows its number, the factor that was among it (`million`), and whether a percent sign was.

    Raises HedgedUnit for words that are no unit.
    """
    factor, percent = 1, False
    text = text.strip()
    for _ in range(MAX_STEPS):
        step = PERCENT.search(text)
        if step and text[: step.start()].strip():
            text, percent = text[: step.start()].rstrip(), True
            continue
        start = _start_of_unit(text)
        if start is None:
            break
        factor *= _meaning(text[start:])
        text = text[:start].rstrip()
    return text, factor, percent


def _start_of_unit(text: str) -> int | None:
    step = STEP.search(text)
    start = step.start() if step and not (DEGREES.search(step[0]) and ANGLE_FUNCTION.search(text)) else None
    if start is None:
        bare = BARE_END.search(text)
        if bare and (bare["space"] or _is_abbreviation(bare["words"])):
            start = bare.start("space")
    quantity = text[:start].rstrip() if start is not None else ""
    is_quantity = quantity and quantity[-1] not in NO_QUANTITY_ENDS and not quantity.endswith(("\\cdot", "\\times"))
    return start if is_quantity else None


def _is_abbreviation(words: str) -> bool:
    return re.match(rf"(?:{ABBREVIATIONS})(?![a-zA-Z])", words) is not None


def _meaning(unit: str) -> int:
    """The factor that a unit stands for, 1 for most. Raises HedgedUnit."""
    inside = re.sub(r"\\[a-zA-Z]+", " ", unit)
    words = WORD.findall(inside)
    if NO_UNIT & {word.lower() for word in words} or POWER_WORDS & {*words[:1]} or UNKNOWNS & {*words} or "?" in unit:
        raise HedgedUnit(f"{unit.strip()[:80]!r} is no unit")
    without_powers = re.sub(POWER, "", re.sub(r"\^\s*\{?\s*-?\d\s*\}?", "", inside))
    if re.search(r"\d", without_powers):
        raise HedgedUnit(f"units {unit.strip()[:80]!r} hold a number")
    factor = 1
    for word in words:
        factor *= MULTIPLIERS.get(word.lower().rstrip("s"), 1)
    return factor
