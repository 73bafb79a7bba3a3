r"""The shape of an answer: an expression, words, several answers, a relation, a matrix, or a set of numbers."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from opsft.verify.choice import read_choice
from opsft.verify.errors import UnparseableAnswer
from opsft.verify.latex.brackets import depth, enclosed, outside, split
from opsft.verify.latex.numerals import read_numeral, rewrite
from opsft.verify.latex.parser import Unreadable, parse
from opsft.verify.latex.shapes import Builder, Expression, InBase, Operation, Reading, Relation, Several, Words
from opsft.verify.latex.spelling import respell
from opsft.verify.latex.trees import Node, number
from opsft.verify.latex.units import HedgedUnit, take_units

MAX_DEPTH = 30
"""Brackets inside brackets. A nested fraction of an honest answer has four or five."""


RELATIONS = frozenset({"=", "<", ">", r"\le", r"\ge", r"\ne", r"\in"})
SET_SIGNS = frozenset({r"\cup", r"\cap", r"\setminus"})
BASE = re.compile(
    r"\(?([0-9A-F]+)\)?\s*(?:_\s*(?:\{\s*\(?(\d+|\\text\{\s*[a-z]+\s*\})\)?\s*\}|(\d{1,2}))|\\text\{\s*\(?base (?:\}\s*)?(\d+|[a-z]+)\)?\s*\}?)",
    re.ASCII,
)
BASE_WORDS = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10", "eleven": "11",
    "twelve": "12", "sixteen": "16",
}  # fmt: skip
CONNECTIVE = re.compile(r",?\s*(?:\\text\s*\{[ ,]*(and|or)[ ,]*\}|(?<![a-zA-Z\\])(and|or)(?![a-zA-Z]))\s*,?")
MATRIX = re.compile(
    r"\\begin\s*\{([bpvVB]?matrix|array|cases|aligned?)\}(?:\s*\{[lcr|]+\})?(.*)\\end\s*\{\1\}", re.DOTALL
)
MODULUS = re.compile(r"\\pmod\s*(\{[^{}]*\}|\d)|\(\s*\\(?:mod|text\{mod\})\s*(\d+)\s*\)")
PLUS_MINUS = re.compile(r"\\(pm|mp)(?![a-zA-Z])")
CLOCK = re.compile(r"\d{1,2}:[0-5]\d", re.ASCII)
DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}", re.ASCII)
TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
LETTERS = re.compile(r"[^\W\d_][^\W\d_ .,'\"-]*(?:[ .,'\"-]+[^\W\d_]+)*", re.UNICODE)
LABEL = re.compile(r"[(\[]?([a-zA-Z])[)\].:]*")
# Without `\text`, short runs of letters are products.
BARE_WORDS = re.compile(r"(?:[A-Z]{2,}|[A-Z][a-z]{2,}|[a-z]{4,})(?: [a-zA-Z]+)*")
# Said in words, each with one reading.
PHRASES = {
    "all real numbers": r"\mathbb{R}", "all reals": r"\mathbb{R}", "the set of all real numbers": r"\mathbb{R}", "real numbers": r"\mathbb{R}",
    "no solution": r"\emptyset", "no solutions": r"\emptyset", "no real solution": r"\emptyset", "no real solutions": r"\emptyset",
    "there is no solution": r"\emptyset", "there are no solutions": r"\emptyset", "empty set": r"\emptyset", "the empty set": r"\emptyset",
    "does not exist": "dne", "doesnotexist": "dne", "infinity": r"\infty",
}  # fmt: skip
QUALIFIER = re.compile(r",?\s*\\text\s*\{\s*(?:for|where) (?:any|all|every|some|each|an?) [^{}]*\}.*$|,?\s*\\forall.*$")


@lru_cache(maxsize=1024)
def read(text: str) -> Reading:
    """What `text` says. Raises UnparseableAnswer for what is neither an expression nor words."""
    text = rewrite(respell(text))
    if depth(text) > MAX_DEPTH:
        raise UnparseableAnswer(f"{text[:80]!r} holds brackets nested more than {MAX_DEPTH} deep")
    text = text.strip().rstrip(".,;: ") if not text.endswith(("\\", "..")) else text
    text = text.removeprefix("=").strip().strip('"`')
    text = text.strip("'") if text.startswith("'") else text
    try:
        return _read(text)
    except (Unreadable, HedgedUnit, RecursionError) as error:
        raise UnparseableAnswer(f"{text[:80]!r} cannot be read: {error}") from error


def _read(text: str) -> Reading:
    numeral = read_numeral(text)
    if numeral is not None:
        return Expression(parse(text) if "\\" in text or "/" in text else number(numeral), decimal="." in text)
    words = read_words(text)
    if words is not None:
        return words
    return _read_parts(_unwrapped(text))


def read_words(text: str) -> Words | Expression | None:
    """A text in words, or a single name; None for anything else."""
    is_set_as_text = "\\text" in text
    plain = TEXT.sub(r"\1", text).strip(" .")
    said = PHRASES.get(" ".join(plain.lower().split()))
    if said is not None:
        return Expression(parse(said)) if said[0] == "\\" else Words(said)
    if is_set_as_text and (letter := LABEL.fullmatch(plain)):
        return Words(letter[1])
    if not LETTERS.fullmatch(plain) or CONNECTIVE.search(text) or "," in plain:
        return None
    return Words(plain) if is_set_as_text or BARE_WORDS.fullmatch(plain) else None


def _unwrapped(text: str) -> str:
    r"""`text` with `\text{…}` that holds a number opened: `\text{5 hours}`."""
    return TEXT.sub(
        lambda found: (
            found[1]
            if re.fullmatch(r"\s*[-+(]*\d[^a-zA-Z]*(?:[a-zA-Z ]*)", found[1])
            and not found[1].strip().startswith("base")
            else found[0]
        ),
        text,
    )


def _read_parts(text: str) -> Reading:
    text = QUALIFIER.sub("", text)
    while (braced := enclosed(text)) and braced[0] == "{":
        text = braced[1]
    text, connected = _connected(text)
    for separator in (";", ","):
        parts, found = split(text, frozenset({separator}))
        parts = [part for part in parts if part]
        if found and len(parts) > 1:
            items = tuple(item for part in parts for item in _spread(_both_signs(part)))
            kind = "or" if connected == {"or"} else "and" if connected == {"and"} and separator == ";" else "list"
            return Several(kind, _named_alike(items))
    signs = _both_signs(text.strip(" ;,"))
    return Several("list", tuple(map(_read_one, signs))) if len(signs) > 1 else _read_one(signs[0])


def _connected(text: str) -> tuple[str, set[str]]:
    """`text` with semicolons for `and` and `or` outside of brackets, and which of the two there were."""
    places = {token.start() for token in outside(text)}
    found = [match for match in CONNECTIVE.finditer(text) if match.start() in places]
    for match in reversed(found):
        text = f"{text[: match.start()]} ; {text[match.end() :]}"
    return text, {match[1] or match[2] for match in found}


def _spread(texts: list[str]) -> Iterator[Reading]:
    """The answers of one part; a list of values inside of a list is part of it, a list of equations is one answer."""
    for text in texts:
        found = _read_parts(text)
        if (
            isinstance(found, Several)
            and found.kind == "list"
            and not any(isinstance(item, Relation) for item in found.items)
        ):
            yield from found.items
        else:
            yield found


def _named_alike(items: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """`x = 1, 2` as `x = 1, x = 2`."""
    first = items[0]
    if (
        not isinstance(first, Relation)
        or first.signs != ("=",)
        or any(isinstance(item, Relation) for item in items[1:])
    ):
        return items
    return (first, *(replace(first, sides=(first.sides[0], item)) for item in items[1:]))


def _both_signs(text: str) -> list[str]:
    """The two texts that a plus-minus sign stands for, or the one text there is."""
    if not PLUS_MINUS.search(text):
        return [text]
    return [
        PLUS_MINUS.sub(lambda sign, signs=signs: signs[sign[1]], text)
        for signs in ({"pm": "+", "mp": "-"}, {"pm": "-", "mp": "+"})
    ]


def _read_one(text: str) -> Reading:
    """One answer, without commas outside of brackets."""
    text = text.strip()
    brackets = enclosed(text)
    matrix = MATRIX.fullmatch(brackets[1] if brackets and brackets[0] in "([{" else text)
    if matrix:
        return _read_matrix(matrix[1], matrix[2])
    sides, signs = split(text, RELATIONS | {r"\equiv", r"\approx", ":="})
    if signs:
        return _read_relation(sides, signs)
    sets, signs = split(text, SET_SIGNS)
    if signs:
        return Operation(tuple(map(_read_one, sets)), tuple(signs))
    if brackets and brackets[0] != "{":
        held = _read_held(*brackets)
        if held is not None:
            return held
    base = BASE.fullmatch(text)
    if base:
        named = base[2] or base[3] or base[4]
        name = TEXT.sub(r"\1", named).strip()
        return InBase(base[1].lstrip("0") or "0", BASE_WORDS.get(name, name))
    return _read_ratio(text) or _read_words_inside(text) or _read_expression(text)


def _read_relation(sides: list[str], signs: list[str]) -> Reading:
    if r"\approx" in signs:
        sides, signs = _without_approximation(sides, signs)
        if not signs:
            return _read_one(sides[0])
    signs = ["=" if sign == r"\equiv" else sign for sign in signs]
    if not sides[0]:
        return _read_one(sides[1]) if len(sides) == 2 and signs[0] == "=" else _missing()
    if not all(sides):
        return _missing()
    return Relation(tuple(_read_side(side) for side in sides), tuple(signs))


def _without_approximation(sides: list[str], signs: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first approximation; where that is only a name, or nothing, the approximation itself."""
    at = signs.index(r"\approx")
    before = " ".join(sides[: at + 1])
    if at == 0 and not re.search(r"\d|\\pi", before):
        return ([sides[1]], []) if not before.strip() else (sides[:2], ["="])
    return sides[: at + 1], signs[:at]


def _missing() -> Reading:
    raise Unreadable("a side is missing")


def _read_side(side: str) -> Reading:
    words = read_words(side)
    if words is not None:
        return words
    try:
        return _read_one(side)
    except Unreadable:
        # The name of what is asked for: `P(X > 1)`, `\text{Area of } ABC`.
        if re.search(r"[a-zA-Z]", side) and not re.search(r"\d\s+\d", side):
            return Words(side)
        raise


def _read_matrix(kind: str, body: str) -> Reading:
    rows = [row for row in re.split(r"\\\\(?:\[[^][]*\])?", body) if row.strip()]
    if kind in ("cases", "aligned", "align"):
        return Several("list", tuple(_read_one(row.replace("&", "").strip(" ,")) for row in rows))
    return Several("matrix", tuple(Several("row", tuple(_read_one(cell) for cell in row.split("&"))) for row in rows))


def _read_held(opening: str, inside: str, closing: str) -> Reading | None:
    """What a pair of brackets holds; None where they only group an expression."""
    if opening == r"\{":
        for separator in ("|", ":"):
            parts, found = split(inside, frozenset({separator}))
            if len(found) == 1 and parts[0]:
                variable = split(parts[0], frozenset({r"\in"}))[0][0].strip()
                condition = _read_parts(parts[1])
                # Conditions with a comma between them hold together there.
                is_list = isinstance(condition, Several) and condition.kind == "list"
                return Builder(variable, replace(condition, kind="and") if is_list else condition)
    parts, _ = split(inside, frozenset({",", ";"}))
    if opening == r"\{" or len(parts) > 1:
        items = [item for part in parts for item in map(_read_one, _both_signs(part))] if inside else []
        return Several(opening + closing, tuple(items))
    return _read_one(inside) if (opening, closing) == ("(", ")") and inside else None


def _read_ratio(text: str) -> Reading | None:
    if DATE.fullmatch(text):
        return Words(text)
    clock = re.match(r"(\d{1,2}:\d{2})(?![\d:])", text)
    if clock and CLOCK.fullmatch(clock[1]) and not text[clock.end() :].strip(" .apmAPM\\ext{}"):
        half = re.search(r"[ap](?=[. ]*m)", text[clock.end() :].lower())
        digits = tuple(Expression(number(int(part))) for part in clock[1].split(":"))
        return Several("time", (*digits, Words(half[0])) if half else digits)
    parts, found = split(text, frozenset({":"}))
    return Several("ratio", tuple(map(_read_expression, parts))) if found and all(parts) else None


def _read_words_inside(text: str) -> Reading | None:
    """A letter of a choice with what stands beside it: `\\text{(C)} 5`."""
    letter = read_choice(text) if text.startswith("\\text") else None
    return Words(letter) if letter else None


def _read_expression(text: str) -> Reading:
    modulus = MODULUS.search(text)
    if modulus:
        text = text[: modulus.start()]
    text, factor, percent = take_units(text)
    if re.search(r"\d \d|\d \.\d", text) and not re.search(r"[\\a-zA-Z_^{}]", text):
        raise Unreadable("numbers stand side by side")
    node = parse(text)
    if factor != 1:
        node = number(node.args[0] * factor) if node.op == "number" else Node("product", (number(factor), node))
    decimal = any("." in token[0] for token in outside(text)) or re.search(r"\d\.\d", text) is not None
    return Expression(node, percent, decimal, (modulus[1] or modulus[2]).strip("{} ") if modulus else None)
