r"""Whether an answer says what the gold says.

The gold decides how strict the shape is: `x = 5` answers 5, and 5 answers `x = 5`, but `2x = 10` answers neither. See the table in docs/verification.md.
"""

from fractions import Fraction

from opsft.verify.latex.multiples import is_constant_multiple
from opsft.verify.latex.rationals import exact
from opsft.verify.latex.regions import FLIPPED, NoRegion, region_of, same_region, variable_of
from opsft.verify.latex.shapes import (
    Builder,
    Expression,
    InBase,
    Operation,
    Reading,
    Relation,
    Several,
    Words,
    has_letters,
    is_decimal,
    nodes,
    spelled,
)
from opsft.verify.latex.trees import Node, letters, number, walk
from opsft.verify.latex.undone import left_undone
from opsft.verify.latex.values import equal

HUNDREDTH = Fraction(1, 100)
ORDERED = frozenset({"()", "[]", r"\langle\rangle", "(]", "[)"})
EXACT_KINDS = frozenset({"matrix", "row", "time"})


def same(gold: Reading, answer: Reading) -> bool:
    """Whether the two say the same, whatever work the answer leaves undone. Raises TooLarge and Undefined."""
    if gold == answer:
        return True
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        if _same_relation(gold, answer):
            return True
    elif isinstance(answer, Relation) and ({*answer.signs} == {"="} or _is_member(answer)):
        value = value_of(answer)
        if value is not None and same(gold, value):
            return True
    elif isinstance(gold, Relation) and {*gold.signs} <= {"=", r"\in"}:
        value = value_of(gold)
        return value is not None and same(value, answer)
    return _same_region(gold, answer) or _same_shape(gold, answer)


def value_of(relation: Relation) -> Reading | None:
    """What a chain of equalities gives: the value that its sides with numbers share, or the last side after a name. None where it gives none."""
    sides = relation.sides
    numbers = [side for side in sides if isinstance(side, Expression) and not letters(side.node)]
    if numbers:
        value = (
            numbers[-1]
            if not _is_name(sides[-1]) or (isinstance(sides[-1], Expression) and sides[-1] in numbers)
            else numbers[0]
        )
        others = [side for side in sides if side not in numbers]
        return value if all(map(_is_name, others)) and all(same(value, side) for side in numbers) else None
    return sides[-1] if all(map(_is_name, sides[:-1])) else None


def _is_member(relation: Relation) -> bool:
    r"""Whether a relation says `x \in \{1, 2\}`."""
    last = relation.sides[-1]
    return relation.signs == (r"\in",) and isinstance(last, Several) and last.kind == r"\{\}"


def _is_name(side: Reading) -> bool:
    """Whether a side names what is asked for: `x`, `f(2)`, `\\angle A`, `AB`, `(p, q)`; it holds no number and no sign."""
    if isinstance(side, Words):
        return True
    if isinstance(side, Several):
        return all(map(_is_name, side.items))
    return (
        isinstance(side, Expression)
        and bool(letters(side.node))
        and side.node.op != "negative"
        and all(part.op != "number" for part in walk(side.node))
    )


def _same_relation(gold: Relation, answer: Relation) -> bool:
    named = {*gold.signs} <= {"=", r"\in"}
    if named and {*answer.signs} <= {"=", r"\in"}:
        names = [_name_of(relation) for relation in (gold, answer)]
        if names[0] is not None and not has_letters(value_of(gold)):
            if names[1] is None:
                return False
            value = value_of(answer)
            return names[0] == names[1] and value is not None and same(value_of(gold), value)
        if not any(map(has_letters, (gold, answer))):
            return _same_value(gold, answer)
    if len(gold.sides) == len(answer.sides) == 2:
        return _same_pair(gold, answer)
    return gold.signs == answer.signs and _all_same(gold.sides, answer.sides)


def _same_value(gold: Relation, answer: Relation) -> bool:
    values = value_of(gold), value_of(answer)
    return None not in values and same(*values)


def _name_of(relation: Relation) -> Reading | None:
    """The side that names the value, of an equality that is solved for it: a letter, a function's value, a tuple of them, words."""
    ends = relation.sides[0], relation.sides[-1]
    named = (
        side for side in ends if _is_name(side) and not (isinstance(side, Expression) and side.node.op != "symbol")
    )
    return next(named, None)


def _same_pair(gold: Relation, answer: Relation) -> bool:
    """Two relations of two sides, by the difference of the sides: equal up to a constant factor, positive in an inequality."""
    sign = answer.signs[0]
    if same(*gold.sides) or _is_solved(gold):
        return False
    if gold.signs == answer.signs and _all_same(gold.sides, answer.sides):
        return True
    if sign != gold.signs[0] and FLIPPED.get(sign) != gold.signs[0]:
        return False
    if not all(isinstance(side, Expression) for side in (*gold.sides, *answer.sides)):
        return False
    differences = [
        Node("sum", (left.node, Node("negative", (right.node,)))) for left, right in (gold.sides, answer.sides)
    ]
    if sign != gold.signs[0]:
        differences[1] = Node("negative", (differences[1],))
    if not all(map(letters, differences)):
        return False
    return is_constant_multiple(*differences, positive=sign not in ("=", r"\ne"))


def _is_solved(relation: Relation) -> bool:
    """Whether an inequality says of a letter how it stands to a number; then the answer does, and they are compared as regions."""
    return relation.signs[0] != "=" and variable_of(relation) is not None and not all(map(has_letters, relation.sides))


def _same_region(gold: Reading, answer: Reading) -> bool:
    kinds = (Relation, Operation, Builder)
    is_set = [
        isinstance(reading, kinds) or _is_condition_list(reading) or _is_literal_set(reading)
        for reading in (gold, answer)
    ]
    if not any(is_set):
        return False
    names = {
        name
        for reading in (gold, answer)
        if (name := variable_of(reading)) is not None and not isinstance(reading, Builder)
    }
    if len(names) > 1:
        return False
    try:
        return same_region(region_of(gold), region_of(answer), is_decimal(gold) or is_decimal(answer))
    except NoRegion:
        return False


def _is_condition_list(reading: Reading) -> bool:
    return (
        isinstance(reading, Several)
        and reading.kind in ("list", "or", "and")
        and all(isinstance(item, Relation) for item in reading.items)
    )


def _is_literal_set(reading: Reading) -> bool:
    return isinstance(reading, Expression) and reading.node in (
        Node("symbol", (r"\mathbb R",)),
        Node("symbol", (r"\emptyset",)),
    )


def _same_shape(gold: Reading, answer: Reading) -> bool:
    match gold, answer:
        case Expression(), Expression():
            return _same_expression(gold, answer)
        case Several(), Several():
            return _same_several(gold, answer)
        case Several(r"\{\}", (only,)), Expression() if not _is_literal_set(answer):
            return same(only, answer)
        case Expression(), Several(r"\{\}", (only,)) if not _is_literal_set(gold):
            return same(gold, only)
        case InBase(), InBase():
            return gold == answer
        case InBase(digits, _), Expression() if isinstance(answer.node, Node):
            return answer.node.op == "number" and str(answer.node.args[0]) == digits
        case Expression(), InBase(digits, _):
            return gold.node.op == "number" and str(gold.node.args[0]) == digits
        case (Words(), Words()) | (Words(), Expression()) | (Expression(), Words()):
            return spelled(gold) is not None and spelled(gold) == spelled(answer)
        case Operation(), Operation():
            return gold.signs == answer.signs and _all_same(gold.sets, answer.sets)
        case Builder(), Builder():
            return same(gold.condition, answer.condition)
    return False


def _same_expression(gold: Expression, answer: Expression) -> bool:
    if gold.modulus is not None and answer.modulus is not None and gold.modulus != answer.modulus:
        return False
    decimal = gold.decimal or answer.decimal
    if equal(gold.node, answer.node, decimal):
        return True
    if gold.percent == answer.percent:
        return False
    if gold.percent:
        return equal(_as_share(gold.node), answer.node, decimal)
    return equal(gold.node, _as_share(answer.node), decimal)


def _as_share(node: Node) -> Node:
    return Node("product", (node, number(HUNDREDTH)))


def _same_several(gold: Several, answer: Several) -> bool:
    if gold.kind == answer.kind == "time":
        # The half of the day counts where both name it.
        shown = min(len(gold.items), len(answer.items))
        return _all_same(gold.items[:shown], answer.items[:shown])
    if {gold.kind, answer.kind} & EXACT_KINDS:
        return gold.kind == answer.kind and _all_same(gold.items, answer.items)
    if "ratio" in (gold.kind, answer.kind):
        return gold.kind == answer.kind and _same_ratio(gold, answer)
    if len(gold.items) != len(answer.items):
        return False
    if gold.kind in ORDERED or answer.kind in ORDERED:
        if not _may_be_ordered(gold, answer):
            return False
        return _all_same(
            gold.items, _in_order_of_names(answer.items) if not any(map(_is_named, gold.items)) else answer.items
        )
    if _are_ordered(gold.items) or (_name_apart(gold.items) and not any(map(_is_named, answer.items))):
        return _all_same(gold.items, answer.items)
    return _matched(gold.items, answer.items)


def _may_be_ordered(gold: Several, answer: Several) -> bool:
    """Whether the kinds go together where one of them has an order; a pair of brackets stands for itself, angles for parentheses."""
    kinds = {kind.replace(r"\langle\rangle", "()") for kind in (gold.kind, answer.kind)}
    return len(kinds) == 1 or kinds in ({"()", "list"}, {"[]", "list"})


def _is_named(item: Reading) -> bool:
    return isinstance(item, Relation)


def _name_apart(items: tuple[Reading, ...]) -> bool:
    """Whether a list gives values to different names: `a = 2, b = 3`, not `x = 2, x = 3`."""
    return len({item.sides[0] for item in items if _is_named(item)}) > 1


def _in_order_of_names(items: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """`y = 3, x = 2` as x, y, for a gold that names nothing."""
    return tuple(sorted(items, key=lambda item: str(item.sides[0]))) if all(map(_is_named, items)) else items


def _are_ordered(items: tuple[Reading, ...]) -> bool:
    """Whether a list is of names, whose order says something: a ranking, the vertices of a figure."""
    return all(spelled(item) is not None for item in items)


def _all_same(gold: tuple[Reading, ...], answer: tuple[Reading, ...]) -> bool:
    return len(gold) == len(answer) and all(same(left, right) for left, right in zip(gold, answer, strict=True))


def _matched(gold: tuple[Reading, ...], answer: tuple[Reading, ...]) -> bool:
    """Whether the parts are the same in some order, each as often."""
    left = list(answer)
    for wanted in gold:
        found = next((i for i, item in enumerate(left) if same(wanted, item)), None)
        if found is None:
            return False
        del left[found]
    return True


def _same_ratio(gold: Several, answer: Several) -> bool:
    """Whether every two parts are in the same proportion."""
    if len(gold.items) != len(answer.items):
        return False
    first = gold.items[0].node, answer.items[0].node
    return all(
        equal(Node("product", (left.node, first[1])), Node("product", (right.node, first[0])), False)
        for left, right in zip(gold.items[1:], answer.items[1:], strict=True)
    ) and all(exact(part.node) != 0 for part in (*gold.items, *answer.items))


def undone(reading: Reading) -> frozenset[str]:
    """The kinds of work that a reading leaves undone; of a chain of equalities the last side counts."""
    if isinstance(reading, Relation) and {*reading.signs} == {"="}:
        value = value_of(reading)
        return undone(value) if value is not None else frozenset().union(*map(undone, reading.sides))
    return frozenset().union(*(left_undone(node) for node in nodes(reading)))
