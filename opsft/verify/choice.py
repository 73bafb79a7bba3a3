r"""The letter of a multiple choice, A to J; how it is written does not matter, anything but one letter is refused.

Read as B: `B`, `b`, `(B)`, `B)`, `[B]`, `B.`, `$B$`, `**B**`, `\text{B}`, `\textbf{(B)}`, `\mathrm{(B)}`, `Option B`.
"""

import re

from opsft.verify.errors import UnparseableAnswer, UnparseableGold

NEEDS_WORKERS = False
SELF_TEST = ((r"\text{(B)}", "B", True), ("c.", "C", True), ("A", "B", False), ("(D)", "E", False))

STYLE = re.compile(r"\\(?:text|mathrm|mathbf|textbf|textrm|mathsf|mbox|bf|rm)\s*\{([^{}]*)\}")
LETTER = re.compile(r"(?:(?:option|choice|answer)\s+)?(?:\(([a-j])\)|\[([a-j])\]|([a-j])\)?)[.:]?", re.IGNORECASE)


def read_choice(text: str) -> str | None:
    """The capital letter that `text` writes, None where it is anything else."""
    text, unstyled = "", text.strip()
    while text != unstyled:
        text, unstyled = unstyled, STYLE.sub(r"\1", unstyled).strip("$*").strip()
    found = LETTER.fullmatch(text)
    return next(letter for letter in found.groups() if letter).upper() if found else None


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
