r"""The letter of a multiple choice, A to J; how it is written does not matter, anything but one letter is refused.

Read as B: `B`, `b`, `(B)`, `B)`, `[B]`, `B.`, `$B$`, `**B**`, `\text{B}`, `\textbf{(B)}`, `Option B`, and, with the option's text after its mark,
`\textbf{(B)}\ 5` and `B. x + 1`.
"""

import re

from opsft.verify.errors import UnparseableAnswer, UnparseableGold
from opsft.verify.latex.spelling import respell

NEEDS_WORKERS = False
SELF_TEST = ((r"\text{(B)}", "B", True), ("c.", "C", True), ("A", "B", False), ("(D)", "E", False))

STYLE = re.compile(r"\\text\s*\{([^{}]*)\}|\{([^{}]*)\}")
LETTER = re.compile(
    r"(?:(?:option|choice|answer)(?:\s*:\s*|\s+))?(?:\(([a-j])\)|\[([a-j])\]|([a-j])\)?)[.:]?", re.IGNORECASE
)
WITH_TEXT = re.compile(r"(?:\(([A-J])\)|\[([A-J])\]|([A-J])[).:])\s*(?P<text>.+)", re.DOTALL)
ANOTHER = re.compile(r"(?<![a-zA-Z\\])(?:[A-J]|or|and|not)(?![a-zA-Z])")
"""What makes the text after a letter more than the option's own: a second letter, or a word that hedges."""


def read_choice(text: str) -> str | None:
    """The capital letter that `text` writes, None where it is anything else."""
    try:
        text, unstyled = "", respell(text)
    except UnparseableAnswer:
        return None
    while text != unstyled:
        text, unstyled = unstyled, STYLE.sub(r"\1\2", unstyled).strip("* ")
    found = LETTER.fullmatch(text) or WITH_TEXT.fullmatch(text)
    if not found or ANOTHER.search(found.groupdict().get("text") or ""):
        return None
    return next(letter for letter in found.groups()[:3] if letter).upper()


def canonical(answer: str) -> str:
    """The capital letter, and what is none as it stands, whitespace aside."""
    return read_choice(answer) or " ".join(answer.split())


def check_gold(gold: str) -> None:
    """Raise UnparseableGold for a gold that is no letter from A to J."""
    if read_choice(gold) is None:
        raise UnparseableGold(f"gold {gold[:80]!r} is no letter from A to J")


def matches(answer: str, gold: str) -> bool:
    """Whether both name the same choice. Raises UnparseableAnswer for an answer that is no letter from A to J."""
    letter = read_choice(answer)
    if letter is None:
        raise UnparseableAnswer(f"answer {answer[:80]!r} is no letter from A to J")
    return letter == read_choice(gold)
