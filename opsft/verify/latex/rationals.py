"""The exact value of a rational expression, as long as its size is one that an answer has."""

import math
from fractions import Fraction
from functools import lru_cache

import mpmath

from opsft.verify.latex.trees import Node, parts

MAX_DIGITS = 20_000
"""Of a number that is computed."""
MAX_ARGUMENT = 5000
"""Of a factorial or binomial that is computed."""


class TooLarge(ValueError):
    """The expression asks for more digits than are computed."""


class Undefined(ValueError):
    """The expression has no value: a division by zero, or an operation that is not computed."""


@lru_cache(maxsize=4096)
def exact(node: Node) -> Fraction | None:
    """The value of a rational expression; None for one that is not rational, or not known to be. Raises TooLarge and Undefined."""
    if node.op == "number":
        return node.args[0]
    if node.op in ("symbol", "constant", "operation"):
        return None
    operands = [exact(part) for part in parts(node)]
    if any(operand is None for operand in operands):
        return None
    return _exact_of(node, operands)


def _exact_of(node: Node, operands: list[Fraction]) -> Fraction | None:
    match node.op:
        case "sum":
            return sum(operands, Fraction(0))
        case "negative":
            return -operands[0]
        case "product":
            return math.prod(operands, start=Fraction(1))
        case "quotient":
            return operands[0] / _nonzero(operands[1])
        case "remainder":
            return operands[0] % _nonzero(operands[1])
        case "power":
            return _exact_power(*operands)
        case "root":
            return _exact_power(operands[0], 1 / _nonzero(operands[1]))
        case "factorial":
            return _exact_factorial(operands[0])
        case "call":
            return _exact_call(node.args[0], operands)
    return None


def _nonzero(value: Fraction) -> Fraction:
    if not value:
        raise Undefined("a division by zero")
    return value


def _exact_power(base: Fraction, exponent: Fraction) -> Fraction | None:
    if exponent.denominator != 1:
        root = _exact_root(base, exponent.denominator)
        return None if root is None else _exact_power(root, Fraction(exponent.numerator))
    if not base and exponent < 0:
        raise Undefined("a division by zero")
    if base in (0, 1, -1):
        return base ** int(exponent % 2 or 2) if exponent else Fraction(1)
    digits = max(base.numerator.bit_length(), base.denominator.bit_length()) * math.log10(2)
    if abs(exponent) * Fraction(digits) > MAX_DIGITS:
        raise TooLarge(f"a power has more than {MAX_DIGITS:,} digits")
    return base ** int(exponent)


def _exact_root(base: Fraction, degree: int) -> Fraction | None:
    """The real root where it is rational."""
    if base < 0:
        root = _exact_root(-base, degree) if degree % 2 else None
        return None if root is None else -root
    if degree > 64:
        return None
    found = [_integer_root(part, degree) for part in (base.numerator, base.denominator)]
    return None if None in found else Fraction(*found)


def _integer_root(value: int, degree: int) -> int | None:
    if degree == 2:
        root = math.isqrt(value)
    else:
        with mpmath.workdps(value.bit_length() // 3 + 20):
            root = int(mpmath.nint(mpmath.root(value, degree)))
    return root if root**degree == value else None


def _exact_factorial(value: Fraction) -> Fraction | None:
    if value.denominator != 1 or value < 0:
        return None
    if value > MAX_ARGUMENT:
        raise TooLarge(f"a factorial of more than {MAX_ARGUMENT:,}")
    return Fraction(math.factorial(int(value)))


def _exact_call(name: str, operands: list[Fraction]) -> Fraction | None:
    integers = all(operand.denominator == 1 for operand in operands)
    match name:
        case "abs":
            return abs(operands[0])
        case "floor":
            return Fraction(math.floor(operands[0]))
        case "ceil":
            return Fraction(math.ceil(operands[0]))
        case "max" | "min":
            return {"max": max, "min": min}[name](operands)
        case "gcd" | "lcm" if integers:
            return Fraction({"gcd": math.gcd, "lcm": math.lcm}[name](*map(int, operands)))
        case "binom" if integers and operands[0] >= 0 and operands[1] >= 0:
            if operands[0] > MAX_ARGUMENT:
                raise TooLarge(f"a binomial of more than {MAX_ARGUMENT:,}")
            return Fraction(math.comb(*map(int, operands)))
    return None
