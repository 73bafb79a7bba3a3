"""The tree of an expression, as it is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache


@dataclass(frozen=True)
class Node:
    """An operation and its operands: nodes, or the value of a number, or the name of a symbol or function."""

    op: str
    args: tuple


def number(value: int | Fraction) -> Node:
    """A number as it stands in a text."""
    return Node("number", (Fraction(value),))


def negative(node: Node) -> Node:
    """The tree with a minus before it; of a number, the negative number."""
    return number(-node.args[0]) if node.op == "number" else Node("negative", (node,))


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for part in parts(node):
        yield from walk(part)


def parts(node: Node) -> tuple[Node, ...]:
    """The operands that are nodes."""
    if node.op == "call":
        return node.args[1]
    return node.args if node.op not in ("number", "symbol", "constant", "operation") else ()


@lru_cache(maxsize=4096)
def letters(node: Node) -> frozenset[str]:
    """The names of the symbols in an expression, and of what is not computed."""
    return frozenset(part.args[0] for part in walk(node) if part.op in ("symbol", "operation"))
