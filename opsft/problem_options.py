"""The options of a multiple choice: read from a row, put under its question by letter, the answer as the letter of one of them."""

import random
import re
from dataclasses import dataclass

from opsft.problem_cells import as_text, describe, value_at
from opsft.problems import NoAnswer

LETTERS = "ABCDEFGHIJ"
"""As far as the verifier `choice` reads."""
LETTER = re.compile(r"[(\[]?([A-J])[)\].:]?", re.IGNORECASE)
INDEX = re.compile(r"(-?\d+)(\.0)?", re.ASCII)
FIRST = {"index_from_0": 0, "index_from_1": 1}
"""The ways to name an option by its number, with that of the first."""


@dataclass(frozen=True)
class Options:
    """Where the options of a row are, and what its answer names.

    `columns` is one column with all of them (a list, a dict by label, or a dict of the lists `text` and `label`), or one for each.
    `answer_is` is `letter` (or the label, where there are labels), `index_from_0`, `index_from_1` or `option` (its text). The options are
    shuffled by `seed` and question, None keeps their order.
    """

    columns: tuple[str, ...]
    answer_is: str
    seed: int | None

    def ask(self, row: dict, question: str, answer: str) -> tuple[str, str]:
        """The question with its options, and the letter of the right one.

        Raises NoAnswer where the answer is none of the options, ValueError for options or an answer of another form.
        """
        labels, texts = self.read(row)
        right, marked = self.find(answer, labels, texts), without_marks(texts)
        if marked.count(marked[right]) > 1:
            raise NoAnswer(f"the right option {marked[right]!r:.80} is there more than once")
        order = list(range(len(marked)))
        if self.seed is not None:
            random.Random(f"{self.seed} {question}").shuffle(order)
        lines = [f"{letter}) {marked[i]}" for letter, i in zip(LETTERS, order, strict=False)]
        return "\n".join([f"{question.rstrip()}\n", *lines]), LETTERS[order.index(right)]

    def read(self, row: dict) -> tuple[list[str] | None, list[str]]:
        """The labels, None where there are none, and the texts of a row's options."""
        column, labels = self.columns[0], None
        cells = [value_at(row, name) for name in self.columns]
        if len(self.columns) == 1:
            labels, cells = labelled(cells[0], column)
        # A set whose questions have three to five options leaves cells of the others empty.
        while cells and cells[-1] in (None, ""):
            cells = cells[:-1]
        texts = [as_text(cell, column).strip() if cell is not None else "" for cell in cells]
        if not 2 <= len(texts) <= len(LETTERS) or not all(texts):
            raise ValueError(
                f"columns.options: found {texts!r:.120}; 2 to {len(LETTERS)} options are needed, none of them empty"
            )
        return labels and labels[: len(texts)], texts

    def find(self, answer: str, labels: list[str] | None, texts: list[str]) -> int:
        """The position of the option that the answer names."""
        if self.answer_is == "option":
            return self.position(answer, texts)
        if self.answer_is in FIRST:
            return self.at_index(answer, len(texts))
        if labels is not None:
            return self.position(answer, labels)
        letter = LETTER.fullmatch(answer)
        if letter and LETTERS.index(letter[1].upper()) < len(texts):
            return LETTERS.index(letter[1].upper())
        if INDEX.fullmatch(answer):
            raise ValueError(
                f"the answer {answer!r} is a number, which may count from 0 or from 1: set `answer_from` to index_from_0 or index_from_1, "
                "or to option where it is the option's text"
            )
        raise NoAnswer(
            f"the answer {answer!r:.80} is no letter of {len(texts)} options; `answer_from: option` finds one by its text"
        )

    def position(self, answer: str, among: list[str]) -> int:
        if among.count(answer) != 1:
            raise NoAnswer(f"the answer {answer!r:.80} is {among.count(answer)} times among the options {among!r:.120}")
        return among.index(answer)

    def at_index(self, answer: str, count: int) -> int:
        # Refused even where unusable rows are dropped: one index that does not fit says that all are counted from elsewhere.
        found, first = INDEX.fullmatch(answer), FIRST[self.answer_is]
        if not found or not first <= int(found[1]) < first + count:
            raise ValueError(
                f"the answer {answer!r:.80} is no index of {count} options with `answer_from: {self.answer_is}`; allowed: {first} to "
                f"{first + count - 1}"
            )
        return int(found[1]) - first


def labelled(cell: object, column: str) -> tuple[list[str] | None, list]:
    """Labels and texts of a cell that holds all options. Raises ValueError for another form."""
    if isinstance(cell, list):
        return None, cell
    if isinstance(cell, dict) and isinstance(cell.get("text"), list) and isinstance(cell.get("label"), list):
        if len(cell["text"]) == len(cell["label"]):
            return [as_text(label, column).strip() for label in cell["label"]], cell["text"]
    elif isinstance(cell, dict):
        filled = {label: text for label, text in cell.items() if text is not None}
        return list(filled), list(filled.values())
    raise ValueError(
        f"columns.options: column {column!r} holds {describe(cell)}; a list or a dict of the options is needed"
    )


def without_marks(texts: list[str]) -> list[str]:
    """The options without the letters that they begin with, where each begins with its own: `A) 21`, `(B) 22`."""
    marks = [re.match(rf"\(?{letter}[).:]\s*", text) for letter, text in zip(LETTERS, texts, strict=False)]
    if not all(marks):
        return texts
    return [text[mark.end() :] for text, mark in zip(texts, marks, strict=True)]
