r"""Mathematical equality of LaTeX. What counts as equal is the table in docs/verification.md; how it is found out, `opsft.verify.latex`."""

import re

from opsft.verify.errors import UnevaluatedAnswer, UnparseableAnswer, UnparseableGold
from opsft.verify.extract import MAX_ANSWER_CHARS
from opsft.verify.latex.comparison import same, undone
from opsft.verify.latex.numerals import read_numeral, rewrite
from opsft.verify.latex.rationals import TooLarge, Undefined
from opsft.verify.latex.reading import read
from opsft.verify.latex.shapes import Reading
from opsft.verify.latex.spelling import respell
from opsft.verify.latex.units import HedgedUnit, take_units

NEEDS_WORKERS = True
SELF_TEST = (
    (r"\frac{2}{4}", "0.5", True),
    ("2(x + 1)", "2x + 2", True),
    (r"\left(3, \pi/2\right)", r"(3, \frac{\pi}{2})", True),
    (r"\frac{1}{3}", r"\frac{1}{2}", False),
    ("x + 1", "x - 1", False),
)

NO_GOLD = frozenset({"notfound", "none", "null", "nan", "n/a", "na", "unknown", "proof", "-", "?"})
"""What data sets have in place of an answer."""
# A list of one text, as some data sets keep a gold: `['2.5']`.
LISTED = re.compile(r"""\[\s*(['"])(?P<only>[^'"]*)\1\s*\]""")
CONSTANT = re.compile(r"\+\s*[CcKk]\s*$")
DECIMAL = re.compile(r"[-+]?\d+\.\d+", re.ASCII)
DECIMAL_COMMA = re.compile(r"[-+]?\d+,(?!\d{3}$)\d+", re.ASCII)


def canonical(answer: str) -> str:
    r"""One text for answers that are the same number, however it is written and whatever its unit; other answers without what LaTeX sets them with."""
    try:
        text = rewrite(respell(answer)).rstrip(".").strip()
        plain, factor, percent = take_units(text)
    except (UnparseableAnswer, HedgedUnit):
        return " ".join(answer.split())
    value = read_numeral(plain)
    if value is not None:
        return f"{value * factor}{'%' * percent}"
    return _tight(text)


def check_gold(gold: str) -> None:
    """Raise UnparseableGold for a gold that is empty, too long, unreadable, or says that there is none."""
    if not gold.strip() or len(gold) > MAX_ANSWER_CHARS:
        raise UnparseableGold(f"gold {gold[:80]!r} has {len(gold)} characters: 1 to {MAX_ANSWER_CHARS} are needed")
    if "".join(gold.split()).casefold().rstrip(".") in NO_GOLD:
        raise UnparseableGold(f"gold {gold!r} stands for a missing answer")
    try:
        read(_taken_out(gold))
    except UnparseableAnswer as error:
        # A statement in words and formulas has no reading, but it can be given in the same words.
        if not re.search(r"[A-Za-z]", gold) or not _same_text(gold, gold):
            raise UnparseableGold(f"gold {gold[:80]!r} cannot be read: {error}") from error


def matches(answer: str, gold: str) -> bool:
    """Whether the two are mathematically equal, or the same text after normalisation.

    Raises UnparseableAnswer for an answer that is not the text of the gold and cannot be read, and UnevaluatedAnswer for one that leaves work
    undone which the gold does not.
    """
    gold = _taken_out(gold)
    if len(answer) > MAX_ANSWER_CHARS:
        raise UnparseableAnswer(f"the answer has {len(answer)} characters, more than {MAX_ANSWER_CHARS}")
    if _same_text(answer, gold):
        return True
    reading = read(_as_the_gold_writes(answer, gold))
    try:
        wanted = read(gold)
    except UnparseableAnswer:
        return False
    try:
        return _says_the_same(reading, wanted, answer, gold)
    except (TooLarge, Undefined, RecursionError) as error:
        raise UnparseableAnswer(f"answer {answer[:80]!r} cannot be compared: {error}") from error


def _says_the_same(reading: Reading, wanted: Reading, answer: str, gold: str) -> bool:
    if not same(wanted, reading):
        return False
    if undone(reading) - undone(wanted):
        raise UnevaluatedAnswer(f"answer {answer[:80]!r} has the value of {gold[:80]!r}, but is not evaluated")
    return True


def _taken_out(gold: str) -> str:
    r"""The text of a gold that is kept as a list of one, with its doubled backslashes."""
    listed = LISTED.fullmatch(gold.strip())
    return listed["only"].replace("\\\\", "\\").removesuffix(r"\n") if listed else gold


def _same_text(answer: str, gold: str) -> bool:
    try:
        texts = [_tight(respell(text)) for text in (answer, gold)]
    except UnparseableAnswer:
        texts = [_tight(" ".join(text.split())) for text in (answer, gold)]
    return texts[0] == texts[1] != ""


def _tight(text: str) -> str:
    """Without spaces, but for those between digits, which tell numbers apart: `1 1/2` is not `11/2`."""
    return re.sub(r"(?<!\d) | (?!\d)", "", text).removesuffix(".")


def _as_the_gold_writes(answer: str, gold: str) -> str:
    """The answer with the gold's sign for a decimal and the gold's letter for a constant of integration."""
    if DECIMAL.fullmatch(gold.strip()) and DECIMAL_COMMA.fullmatch(answer.strip()):
        # Not the other way round: a gold `1,2` is a list.
        return answer.replace(",", ".")
    if re.search(r"\+\s*C\s*$", gold):
        return CONSTANT.sub("+ C", answer.strip())
    return answer
