r"""Sets of real numbers: intervals, inequalities in one letter, and what joins them.

A region is a tuple of pieces in ascending order that do not touch; `x \ne 2` has two. Bounds may hold letters as long as nothing has to be ordered.
No inequality is solved: on one side the letter stands alone.
"""

from dataclasses import dataclass

import mpmath

from opsft.verify.latex.rationals import Undefined
from opsft.verify.latex.shapes import Builder, Expression, Operation, Reading, Relation, Several
from opsft.verify.latex.trees import Node, letters, negative
from opsft.verify.latex.values import equal, evaluate

PLUS = Node("constant", ("infty",))
MINUS = negative(PLUS)
PAIRS = frozenset({"()", "(]", "[)", "[]"})
FLIPPED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le", "=": "=", r"\ne": r"\ne"}
ORDER_DIGITS = 60


class NoRegion(ValueError):
    """The reading is no set of real numbers."""


@dataclass(frozen=True)
class Piece:
    """All numbers between two bounds, which may belong to it."""

    low: Node
    high: Node
    with_low: bool = False
    with_high: bool = False


Region = tuple[Piece, ...]
REALS: Region = (Piece(MINUS, PLUS),)


def region_of(reading: Reading) -> Region:
    """The set that a reading describes. Raises NoRegion."""
    match reading:
        case Several(kind, items) if (
            kind in PAIRS and len(items) == 2 and all(isinstance(item, Expression) for item in items)
        ):
            return (Piece(items[0].node, items[1].node, kind[0] == "[", kind[1] == "]"),)
        case Several(r"\{\}", items) if all(isinstance(item, Expression) for item in items):
            return _union(tuple(Piece(item.node, item.node, True, True) for item in items))
        case Several("or" | "list", items) if _are_conditions(items):
            return _union(tuple(piece for item in items for piece in region_of(item)))
        case Several("and", items) if _are_conditions(items):
            return _intersections([region_of(item) for item in items])
        case Builder(_, condition):
            return region_of(condition) if variable_of(condition) else _no_region()
        case Relation():
            return _solved(reading)
        case Operation():
            return _joined(reading)
        case Expression(Node("symbol", (r"\mathbb R",))):
            return REALS
        case Expression(Node("symbol", (r"\emptyset",))):
            return ()
    return _no_region()


def _no_region() -> Region:
    raise NoRegion("no set of real numbers")


def _are_conditions(items: tuple[Reading, ...]) -> bool:
    names = {variable_of(item) for item in items}
    return (
        len(names) == 1
        and None not in names
        and any(not (isinstance(item, Relation) and item.signs == ("=",)) for item in items)
    )


def variable_of(reading: Reading) -> str | None:
    """The letter that a condition is about; None where there is none, or several."""
    match reading:
        case Builder(variable, _):
            return variable
        case Relation(sides, _):
            names = {side.node.args[0] for side in sides if isinstance(side, Expression) and side.node.op == "symbol"}
            return names.pop() if len(names) == 1 else None
        case Several("or" | "and" | "list", items):
            names = {variable_of(item) for item in items}
            return names.pop() if len(names) == 1 else None
    return None


def _solved(relation: Relation) -> Region:
    variable = variable_of(relation)
    if variable is None:
        return _no_region()
    sides, signs = relation.sides, relation.signs
    if signs == (r"\in",):
        return region_of(sides[1])
    at = next(
        i for i, side in enumerate(sides) if isinstance(side, Expression) and side.node == Node("symbol", (variable,))
    )
    found = REALS
    if len(sides) > 3 or (len(sides) == 3 and at != 1):
        return _no_region()
    for place, sign in enumerate(signs):
        other = sides[place + 1 if place == at else place]
        if not isinstance(other, Expression) or variable in letters(other.node):
            return _no_region()
        found = _intersection(found, _side(sign if place == at else FLIPPED.get(sign, sign), other.node))
    return found


def _side(sign: str, bound: Node) -> Region:
    """The numbers that stand in a relation to `bound`."""
    match sign:
        case "<" | r"\le":
            return (Piece(MINUS, bound, False, sign == r"\le"),)
        case ">" | r"\ge":
            return (Piece(bound, PLUS, sign == r"\ge", False),)
        case "=":
            return (Piece(bound, bound, True, True),)
        case r"\ne":
            return (Piece(MINUS, bound), Piece(bound, PLUS))
    return _no_region()


def _joined(operation: Operation) -> Region:
    found = region_of(operation.sets[0])
    for sign, other in zip(operation.signs, operation.sets[1:], strict=True):
        region = region_of(other)
        if sign == r"\cup":
            found = _union((*found, *region))
        else:
            found = _intersection(found, region if sign == r"\cap" else _complement(region))
    return found


def _position(bound: Node) -> mpmath.mpf:
    try:
        with mpmath.workdps(ORDER_DIGITS):
            value = evaluate(bound, {})
    except (Undefined, KeyError) as error:
        raise NoRegion("a bound cannot be ordered") from error
    return value if mpmath.im(value) == 0 else _no_region()


def _union(pieces: Region) -> Region:
    if len(pieces) < 2:
        return pieces
    ordered = sorted(pieces, key=lambda piece: (_position(piece.low), not piece.with_low))
    merged = [ordered[0]]
    for piece in ordered[1:]:
        last = merged[-1]
        gap = _position(piece.low) - _position(last.high)
        if gap < 0 or (gap == 0 and (piece.with_low or last.with_high)):
            farther = max((last, piece), key=lambda one: (_position(one.high), one.with_high))
            merged[-1] = Piece(last.low, farther.high, last.with_low, farther.with_high)
        else:
            merged.append(piece)
    return tuple(merged)


def _complement(region: Region) -> Region:
    found = REALS
    for piece in region:
        outside = (
            Piece(MINUS, piece.low, False, not piece.with_low),
            Piece(piece.high, PLUS, not piece.with_high, False),
        )
        found = _intersection(found, tuple(part for part in outside if part.low != part.high))
    return found


def _intersections(regions: list[Region]) -> Region:
    found = REALS
    for region in regions:
        found = _intersection(found, region)
    return found


def _intersection(left: Region, right: Region) -> Region:
    if left == REALS or right == REALS:
        return right if left == REALS else left
    return tuple(piece for one in left for other in right if (piece := _overlap(one, other)) is not None)


def _overlap(one: Piece, other: Piece) -> Piece | None:
    low = (
        max((one, other), key=lambda piece: (_position(piece.low), not piece.with_low))
        if MINUS not in (one.low, other.low)
        else (other if one.low == MINUS else one)
    )
    high = (
        min((one, other), key=lambda piece: (_position(piece.high), piece.with_high))
        if PLUS not in (one.high, other.high)
        else (other if one.high == PLUS else one)
    )
    piece = Piece(low.low, high.high, low.with_low, high.with_high)
    if piece.low == MINUS or piece.high == PLUS or letters(piece.low) or letters(piece.high):
        return piece
    gap = _position(piece.high) - _position(piece.low)
    return piece if gap > 0 or (gap == 0 and piece.with_low and piece.with_high) else None


def same_region(gold: Region, answer: Region, is_decimal: bool) -> bool:
    """Whether two regions have the same pieces."""
    return len(gold) == len(answer) and all(
        (left.with_low, left.with_high) == (right.with_low, right.with_high)
        and equal(left.low, right.low, is_decimal)
        and equal(left.high, right.high, is_decimal)
        for left, right in zip(gold, answer, strict=True)
    )
