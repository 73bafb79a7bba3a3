"""The marks between which a reasoning model thinks; what follows the last end is its answer."""

from typing import NamedTuple


class Marks(NamedTuple):
    """The text that opens the thinking, and the text that ends it."""

    start: str
    end: str


THINK = Marks("<think>", "</think>")

KNOWN = (
    THINK,
    Marks("[THINK]", "[/THINK]"),
    Marks("<seed:think>", "</seed:think>"),
    Marks("<thought>", "</thought>"),
    # gpt-oss answers in its channel `final`, and thinks in any other.
    Marks("<|channel|>", "<|channel|>final<|message|>"),
    # Gemma 4
    Marks("<|channel>", "<channel|>"),
    Marks("<|begin_of_thought|>", "<|end_of_thought|>"),
    Marks("<|START_THINKING|>", "<|END_THINKING|>"),
    Marks("<|inner_prefix|>", "<|inner_suffix|>"),
    Marks("<longcat_think>", "</longcat_think>"),
    Marks("◁think▷", "◁/think▷"),
)
"""The marks of models that are known; others can be configured."""


class OtherMarks(ValueError):
    """A model thinks between other marks than it is graded by; the message names both, and `found` are the first of the others."""

    def __init__(self, others: list[Marks], marks: Marks) -> None:
        found = " and ".join(f"{pair.start} … {pair.end}" for pair in others)
        super().__init__(f"its vocabulary or chat template has {found}; it is graded by {marks.start} … {marks.end}")
        self.found = others[0]


def choose_marks(configured: list[str] | None, tokens: set[str], template: str) -> Marks:
    """The marks that a model is graded by: `configured`, or `<think>`.

    `tokens` are the model's vocabulary, and `template` the text of its chat template. Raises OtherMarks where they hold a known pair
    but not the configured one, or where nothing is configured and they hold another pair than `<think>`.
    """
    marks = THINK if configured is None else Marks(*configured)
    others = [pair for pair in KNOWN if pair != marks and knows(pair, tokens, template)]
    if others and (configured is None or not knows(marks, tokens, template)):
        raise OtherMarks(others, marks)
    return marks


def knows(marks: Marks, tokens: set[str], template: str) -> bool:
    return marks.start in tokens or marks.start in template
