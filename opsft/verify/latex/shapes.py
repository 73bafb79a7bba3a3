"""The shapes that an answer can have."""

from collections.abc import Iterator
from dataclasses import dataclass

from opsft.verify.latex.trees import Node, letters


@dataclass(frozen=True)
class Expression:
    """A value, with what was written beside it."""

    node: Node
    percent: bool = False
    decimal: bool = False
    modulus: str | None = None


@dataclass(frozen=True)
class Words:
    """A text without a value, compared by its letters."""

    text: str


@dataclass(frozen=True)
class InBase:
    """The digits of a number that names its base."""

    digits: str
    base: str


@dataclass(frozen=True)
class Several:
    r"""Parts in their order, and how they are held together: `list` (nothing), `ratio`, `time`, `matrix`, `row`, `or`, `and`, or their two brackets."""

    kind: str
    items: tuple["Reading", ...]


@dataclass(frozen=True)
class Relation:
    r"""Two or more sides with signs between them: `=`, `<`, `\le`, `>`, `\ge`, `\ne`, `\in`."""

    sides: tuple["Reading", ...]
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    r"""Sets joined by `\cup`, `\cap` or `\setminus`, from left to right."""

    sets: tuple["Reading", ...]
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Builder:
    r"""`\{x : …\}`: the numbers for which the conditions hold."""

    variable: str
    condition: "Reading"


Reading = Expression | Words | InBase | Several | Relation | Operation | Builder


def nodes(reading: Reading) -> Iterator[Node]:
    """The expressions in a reading."""
    match reading:
        case Expression(node):
            yield node
        case Several(_, items) | Operation(items, _) | Relation(items, _):
            for item in items:
                yield from nodes(item)
        case Builder(_, condition):
            yield from nodes(condition)


def is_decimal(reading: Reading) -> bool:
    """Whether a number in a reading is written as a decimal."""
    match reading:
        case Expression():
            return reading.decimal
        case Several(_, items) | Operation(items, _) | Relation(items, _):
            return any(map(is_decimal, items))
    return False


def spelled(reading: Reading) -> str | None:
    """The letters of words, or of a product that may be a word: upper-case ones, in their order; None for anything else."""
    match reading:
        case Words(text):
            return "".join(text.split()).casefold()
        case Expression(Node("symbol" | "constant", (name,))):
            return name.casefold()
        case Expression(Node("product", factors)) if all(factor.op in ("symbol", "constant") for factor in factors):
            return "".join(factor.args[0] for factor in factors).casefold()
    return None


def has_letters(reading: Reading | None) -> bool:
    match reading:
        case Expression():
            return bool(letters(reading.node))
        case Relation(sides, _):
            return any(map(has_letters, sides))
        case Several(_, items):
            return any(map(has_letters, items))
    return False
