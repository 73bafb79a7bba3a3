r"""Whether two expressions have the same value.

Rational numbers are computed exactly. Other numbers are computed to so many digits that two different ones of their size are told apart: 60, and two
for every digit that the expressions write out or reach (`2^{100}` has 31). Expressions with letters are compared at fixed points, rational and of
both signs: equal are those that agree wherever both are real, of which there must be some. Where one is real and the other is not, they differ;
where the imaginary unit is written, complex values are compared too.

What would take more than MAX_PRECISION digits is refused.
"""

import math
from fractions import Fraction

import mpmath

from opsft.verify.latex.rationals import TooLarge, Undefined, exact
from opsft.verify.latex.trees import Node, letters, parts, walk

MAX_PRECISION = 3000
POINTS = ("7/5", "-11/7", "3/10", "13/3", "-2/9", "9/4", "-17/6", "19/11")
MIN_POINTS = 3
DECIMALS = 6


def equal(gold: Node, answer: Node, is_decimal: bool) -> bool:
    """Whether the values are the same; where one of them is written as a decimal, to DECIMALS places, or significant digits below 1.

    Raises TooLarge and Undefined.
    """
    if gold == answer:
        return True
    left, right = exact(gold), exact(answer)
    if left is not None and right is not None:
        return left == right or (is_decimal and abs(left - right) < _tolerance(left))
    if any(part.op == "operation" for tree in (gold, answer) for part in walk(tree)):
        return False
    names = letters(gold) | letters(answer)
    return _agree(gold, answer, sorted(names)) if names else _same_number(gold, answer, is_decimal)


def _tolerance(gold: Fraction) -> Fraction:
    """Half a unit of the last place that is compared."""
    places = DECIMALS
    if not gold:
        return Fraction(0)
    if abs(gold) < 1:
        places += math.floor(math.log10(gold.denominator) - math.log10(abs(gold.numerator)))
    return Fraction(1, 2 * 10**places)


def precision(*nodes: Node) -> int:
    """The digits at which expressions of this size are told apart. Raises TooLarge."""
    digits = 60 + 2 * sum(map(_size, nodes))
    if digits > MAX_PRECISION:
        raise TooLarge(f"{digits:,} digits are needed, {MAX_PRECISION:,} are computed")
    return digits


def _size(node: Node) -> int:
    """The digits that an expression writes out or reaches, roughly."""
    value = exact(node)
    if value is not None:
        return max(value.numerator.bit_length(), value.denominator.bit_length()) // 3
    inner = sum(map(_size, parts(node)))
    if node.op == "power" and (exponent := exact(node.args[1])) is not None:
        return int(min(inner * max(1, abs(exponent)), MAX_PRECISION))
    return inner


def _same_number(gold: Node, answer: Node, is_decimal: bool) -> bool:
    digits = precision(gold, answer)
    with mpmath.workdps(digits):
        left, right = (evaluate(node, {}) for node in (gold, answer))
        if is_decimal and mpmath.im(left) == mpmath.im(right) == 0 and mpmath.isfinite(left):
            tolerance = mpmath.mpf(10) ** -DECIMALS * min(1, abs(left)) / 2
            if abs(left - right) < tolerance:
                return True
        return close(left, right, digits)


def close(left: mpmath.mpc, right: mpmath.mpc, digits: int) -> bool:
    if not (mpmath.isfinite(left) and mpmath.isfinite(right)):
        return bool(left == right)
    scale = max(abs(left), abs(right))
    negligible = mpmath.mpf(10) ** (-digits // 2)
    return bool(scale < negligible or abs(left - right) <= negligible * scale)


def _agree(gold: Node, answer: Node, names: list[str]) -> bool:
    """Whether two expressions with letters agree at POINTS."""
    is_complex = any(part == Node("constant", ("i",)) for tree in (gold, answer) for part in walk(tree))
    digits, compared = precision(gold, answer), 0
    with mpmath.workdps(digits):
        for shift in range(len(POINTS)):
            point = {name: coordinate(shift, position) for position, name in enumerate(names)}
            try:
                left, right = evaluate(gold, point), evaluate(answer, point)
            except Undefined:
                continue
            real = [is_real(value, digits) for value in (left, right)]
            if not (all(real) or is_complex):
                if any(real):
                    return False
                continue
            if not close(left, right, digits):
                return False
            compared += 1
    return compared >= MIN_POINTS


def coordinate(shift: int, position: int) -> mpmath.mpf:
    """The value of a letter at a point: all differ at each, and the sign of each changes between them."""
    value = Fraction(POINTS[(shift + 3 * position) % len(POINTS)]) + Fraction(position, 7)
    return mpmath.mpf(value.numerator) / value.denominator


def is_real(value: mpmath.mpc, digits: int) -> bool:
    return bool(
        mpmath.isfinite(value) and abs(mpmath.im(value)) <= mpmath.mpf(10) ** (-digits // 2) * max(1, abs(value))
    )


CALLS = {
    "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan, "cot": mpmath.cot, "sec": mpmath.sec, "csc": mpmath.csc,
    "arcsin": mpmath.asin, "arccos": mpmath.acos, "arctan": mpmath.atan, "sinh": mpmath.sinh, "cosh": mpmath.cosh,
    "tanh": mpmath.tanh, "exp": mpmath.exp, "abs": abs, "floor": mpmath.floor, "ceil": mpmath.ceil, "Re": mpmath.re,
    "Im": mpmath.im, "arg": mpmath.arg, "binom": mpmath.binomial, "max": max, "min": min,
}  # fmt: skip
CONSTANTS = {"e": lambda: mpmath.e, "i": lambda: mpmath.j, "pi": lambda: mpmath.pi, "infty": lambda: mpmath.inf}
MAX_EXPONENT = 10**7


def evaluate(node: Node, point: dict[str, mpmath.mpf]) -> mpmath.mpc:
    """The value at a point, to the precision that is set. Raises Undefined and TooLarge."""
    if not letters(node):
        value = exact(node)
        if value is not None:
            return mpmath.mpf(value.numerator) / value.denominator
    if node.op == "symbol":
        return point[node.args[0]]
    if node.op == "constant":
        return +CONSTANTS[node.args[0]]()
    if node.op == "operation":
        raise Undefined("the operation is not computed")
    inner = [evaluate(part, point) for part in parts(node)]
    try:
        return _computed(node, inner)
    except (ZeroDivisionError, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, TooLarge):
            raise
        raise Undefined(str(error)) from error


def _computed(node: Node, inner: list[mpmath.mpc]) -> mpmath.mpc:
    match node.op:
        case "sum":
            return mpmath.fsum(inner)
        case "negative":
            return -inner[0]
        case "product":
            return mpmath.fprod(inner)
        case "quotient":
            return inner[0] / inner[1]
        case "degrees":
            return inner[0]
        case "power":
            return _power(inner[0], inner[1], exact(node.args[1]))
        case "root":
            return _power(inner[0], 1 / inner[1], 1 / exact(node.args[1]) if exact(node.args[1]) else None)
        case "factorial":
            return mpmath.factorial(_moderate(inner[0]))
        case "double factorial":
            return mpmath.fac2(_moderate(inner[0]))
        case "call":
            return _call(node, inner)
    raise Undefined(f"{node.op} is not computed")


def _moderate(value: mpmath.mpc) -> mpmath.mpc:
    if not mpmath.isfinite(value) or abs(value) > MAX_EXPONENT:
        raise TooLarge("an exponent or argument is too large")
    return value


def _power(base: mpmath.mpc, exponent: mpmath.mpc, known: Fraction | None) -> mpmath.mpc:
    """The power; of a negative number to a fraction with odd denominator the real one."""
    _moderate(exponent)
    if known is not None and known.denominator % 2 and known.denominator > 1 and mpmath.im(base) == 0 and base < 0:
        return (-1 if known.numerator % 2 else 1) * mpmath.power(-base, exponent)
    if base == 0 and exponent == 0:
        return mpmath.mpf(1)
    return mpmath.power(base, exponent)


def _call(node: Node, inner: list[mpmath.mpc]) -> mpmath.mpc:
    name = node.args[0]
    if name in ("ln", "log", "lg"):
        base = inner[1] if len(inner) > 1 else mpmath.e if name == "ln" else mpmath.mpf(10)
        return mpmath.log(inner[0]) / mpmath.log(base)
    if name in ("sin", "cos", "tan", "cot", "sec", "csc") and any(
        part.op == "degrees" for part in walk(node.args[1][0])
    ):
        return CALLS[name](mpmath.radians(inner[0]))
    if name not in CALLS:
        raise Undefined(f"{name} is not computed")
    for value in inner:
        _moderate(value)
    return CALLS[name](*inner)
