"""Whether one expression is a constant multiple of another, as the two sides of one equation may be."""

import mpmath

from opsft.verify.latex.rationals import Undefined
from opsft.verify.latex.trees import Node, letters
from opsft.verify.latex.values import MIN_POINTS, POINTS, close, coordinate, evaluate, is_real, precision


def is_constant_multiple(gold: Node, answer: Node, positive: bool) -> bool:
    """Whether one expression is the other times a number other than 0, over a common denominator."""
    top, bottom = (cleared(node) for node in (gold, answer))
    if letters(top) != letters(bottom):
        return False
    ratio = constant_ratio(top, bottom)
    return ratio is not None and (ratio > 0 or not positive)


def cleared(node: Node) -> Node:
    """The numerator of a sum over the product of the denominators of its terms; other expressions as they are."""
    terms = [term.args[0] if term.op == "negative" else term for term in node.args]
    bottoms = [term.args[1] for term in terms if term.op == "quotient" and letters(term.args[1])]
    if not bottoms:
        return node
    scaled = [Node("product", (term, *bottoms)) for term in node.args]
    return Node("sum", tuple(scaled))


def constant_ratio(left: Node, right: Node) -> mpmath.mpf | None:
    """The number that `left / right` is at every point; None where it varies, or where one of them is always 0. Raises TooLarge."""
    names = sorted(letters(left) | letters(right))
    digits, ratios = precision(left, right), []
    with mpmath.workdps(digits):
        for shift in range(len(POINTS)):
            point = {name: coordinate(shift, position) for position, name in enumerate(names)}
            try:
                values = evaluate(left, point), evaluate(right, point)
            except Undefined:
                continue
            real = [is_real(value, digits) for value in values]
            if any(real) != all(real):
                return None
            if all(real):
                ratios.append((mpmath.re(values[0]), mpmath.re(values[1])))
        if len(ratios) < MIN_POINTS or any(close(part, mpmath.mpf(0), digits) for pair in ratios for part in pair):
            return None
        first = ratios[0][0] / ratios[0][1]
        return first if all(close(top, first * bottom, digits) for top, bottom in ratios) else None
