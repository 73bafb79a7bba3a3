r"""Split a text at signs that stand outside of brackets."""

import re
from collections.abc import Iterator

OPENING = frozenset({"(", "[", "{", r"\{", r"\langle", r"\lfloor", r"\lceil", r"\begin"})
CLOSING = frozenset({")", "]", "}", r"\}", r"\rangle", r"\rfloor", r"\rceil", r"\end"})
TOKEN = re.compile(r"\\(?:[a-zA-Z]+|.)|\d+(?:\.\d*)?|\.\d+|.", re.DOTALL)


def tokens(text: str) -> list[str]:
    """Commands, numbers and single characters; spaces are left out."""
    return [token for token in TOKEN.findall(text) if not token.isspace()]


def depth(text: str) -> int:
    """How deep brackets of any kind are nested; a closing one that closes nothing takes one off all the same."""
    deepest = level = 0
    for token in TOKEN.findall(text):
        level += (token in OPENING) - (token in CLOSING)
        deepest = max(deepest, level)
    return deepest


def outside(text: str) -> Iterator[re.Match]:
    """The tokens that stand outside of all brackets."""
    level = 0
    for token in TOKEN.finditer(text):
        level -= token[0] in CLOSING
        if level == 0:
            yield token
        level += token[0] in OPENING


def split(text: str, separators: frozenset[str]) -> tuple[list[str], list[str]]:
    """The stripped parts of `text` between `separators` outside of brackets, and the separators that are there."""
    parts, found, start = [], [], 0
    for token in outside(text):
        if token[0] in separators:
            parts.append(text[start : token.start()].strip())
            found.append(token[0])
            start = token.end()
    return [*parts, text[start:].strip()], found


def enclosed(text: str) -> tuple[str, str, str] | None:
    """The opening bracket, the inside and the closing bracket of a text that one pair of brackets holds whole; None where none does."""
    found = list(TOKEN.finditer(text))
    if len(found) < 2 or found[0][0] not in OPENING or found[-1][0] not in CLOSING or found[0][0] == r"\begin":
        return None
    level = 0
    for token in found[:-1]:
        level += (token[0] in OPENING) - (token[0] in CLOSING)
        if level <= 0:
            return None
    return found[0][0], text[found[0].end() : found[-1].start()].strip(), found[-1][0]
