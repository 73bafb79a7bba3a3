"""Equality of the texts, whitespace and case aside."""

from opsft.verify.errors import UnparseableGold

NEEDS_WORKERS = False
SELF_TEST = (("North  West", "north west", True), ("north", "south", False))


def canonical(text: str) -> str:
    """Every run of whitespace as one space, none at the ends, case folded."""
    return " ".join(text.split()).casefold()


def check_gold(gold: str) -> None:
    """Raise UnparseableGold for a gold that holds nothing but whitespace."""
    if not canonical(gold):
        raise UnparseableGold(f"gold {gold!r} is empty: an answer could only match it by being empty too")


def matches(answer: str, gold: str) -> bool:
    """Whether the two texts have the same canonical form."""
    return canonical(answer) == canonical(gold)
