r"""The final answer of a response: what is in `\boxed{...}` after the thinking.

Linear in the length of the text, whatever it holds.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from opsft.thinking import THINK, Marks

MAX_ANSWER_CHARS = 2000
MAX_BOXES = 10
"""More boxes that differ than this are neither forms of one answer nor the parts of one."""
PLACEHOLDERS = frozenset(
    {"answer", "youranswer", "finalanswer", "youranswerhere", "...", r"\ldots", "?", r"\cdots", r"\dots"}
)
"""What stands in the box of an instruction that a response repeats."""

# `\boxed` or `\fbox` with its opening brace or with a bare number (`\boxed 7`); else an escaped character, which opens
# and closes nothing; else a brace. Some models write `\\boxed{7}`: there the first backslash escapes nothing.
TOKEN = re.compile(
    r"\\(?:boxed|fbox)\s*(?P<box>\{|(?P<bare>[-+]?[.0-9][^\s{}$\\]*))"
    r"|\\(?!\\(?:boxed|fbox)(?![A-Za-z]))."
    r"|(?P<brace>[{}])",
    re.DOTALL,
)


@dataclass(frozen=True)
class Extracted:
    """The boxed answers that differ, the final one last, and why they are not to be graded.

    `problem` is None, or one of three reasons of a verdict: `no_answer`, `several_answers` (too many), `unparseable_answer` (too
    long). Boxes may be one answer in several forms; whether they are, the verifier says.
    """

    answers: tuple[str, ...]
    problem: str | None


class Box(NamedTuple):
    """The range of a closed box in the text, and the range of the answer inside."""

    start: int
    end: int
    answer_start: int
    answer_end: int


def final_answers(text: str, opens_thinking: bool, marks: Marks = THINK) -> Extracted:
    """The boxed answers of what follows the thinking.

    Where the prompt opened the thinking, or the text holds one of its marks, only what follows the last end
    counts. Empty and unclosed boxes are no answers. Boxes that differ in nothing but whitespace are one answer.
    """
    different: dict[str, str] = {}
    for answer in filter(None, boxed_answers(after_thinking(text, opens_thinking, marks))):
        key = "".join(answer.split())
        different.pop(key, None)
        different[key] = answer
    real = {key: answer for key, answer in different.items() if not _is_placeholder(key)}
    answers = tuple((real or different).values())
    if not answers:
        return Extracted((), "no_answer")
    if len(answers[-1]) > MAX_ANSWER_CHARS:
        return Extracted((), "unparseable_answer")
    if len(answers) > MAX_BOXES or max(map(len, answers)) > MAX_ANSWER_CHARS:
        return Extracted(answers[-1:], "several_answers")
    return Extracted(answers, None)


def _is_placeholder(text: str) -> bool:
    return re.sub(r"\\text\{([^{}]*)\}", r"\1", text).strip("[]<>").lower() in PLACEHOLDERS


def after_thinking(text: str, opens_thinking: bool, marks: Marks = THINK) -> str:
    """What follows the last end of thinking; nothing where it goes on or begins anew; the whole text where there is none."""
    _, end, rest = text.rpartition(marks.end)
    never_ends = not end and opens_thinking
    return "" if never_ends or marks.start in rest else rest


def boxed_answers(text: str) -> list[str]:
    """The stripped contents of the outermost closed boxes, in their order; a box that holds only a box is taken off."""
    boxes: list[Box] = []
    opened: list[re.Match | None] = []  # the brackets that are open: the token of a box, None for any other brace
    for token in TOKEN.finditer(text):
        if token["bare"]:
            boxes.append(Box(*token.span(), *token.span("bare")))
        elif token["box"]:
            opened.append(token)
        elif token["brace"] == "{":
            opened.append(None)
        elif token["brace"] == "}" and opened and (opening := opened.pop()):
            _close(boxes, Box(opening.start(), token.end(), opening.end(), token.start()), text)
    return [_stripped(text, box) for box in boxes]


def _close(boxes: list[Box], outer: Box, text: str) -> None:
    """Add `outer` in place of the boxes inside it; it takes over the answer of a box that is all it holds."""
    inside = []
    while boxes and boxes[-1].start > outer.start:
        inside.append(boxes.pop())
    if len(inside) == 1:
        inner = inside[0]
        around = text[outer.answer_start : inner.start] + text[inner.end : outer.answer_end]
        if not around.strip():
            outer = outer._replace(answer_start=inner.answer_start, answer_end=inner.answer_end)
    boxes.append(outer)


def _stripped(text: str, box: Box) -> str:
    answer = text[box.answer_start : box.answer_end].strip()
    is_bare = box.answer_end == box.end
    return answer.rstrip(".,;:!?)") if is_bare else answer
