r"""What an answer leaves to be computed.

Under a length budget a policy learns to stop before the last step if `48 + 24` pays as much as 72. So what the gold does not leave undone, the
answer may not either. A fraction, reduced or not, a mixed number, `1.2 \times 10^3`, and a power, root or factorial by itself are forms of a number.
Expressions with letters have no one final form: of them, only the arithmetic among their numbers counts.
"""

from opsft.verify.latex.rationals import exact
from opsft.verify.latex.trees import Node, letters, walk

ARITHMETIC, EXPANSION, FUNCTION = "arithmetic", "expansion", "function"
SIGNS = (1, -1)
FORMS_IN_A_FRACTION = ("number", "power", "negative")


def left_undone(node: Node) -> frozenset[str]:
    """The kinds of work that an expression leaves undone. Raises TooLarge and Undefined."""
    return frozenset(kind for part in walk(node) if (kind := _kind(part)) is not None)


def _kind(node: Node) -> str | None:
    if node.op == "call" and not letters(node):
        return FUNCTION
    if node.op == "sum" and _count(node) > 1:
        return ARITHMETIC
    if node.op == "product":
        if _count(node) > 1 and not _is_scientific(node):
            return ARITHMETIC
        return EXPANSION if sum(map(_is_surd_sum, node.args)) > 1 else None
    if node.op in ("quotient", "remainder") and _is_undone_quotient(node):
        return ARITHMETIC
    if node.op == "power" and _is_surd_sum(node.args[0]):
        exponent = exact(node.args[1])
        return EXPANSION if exponent is not None and exponent.denominator == 1 and abs(exponent) > 1 else None
    return None


def _count(node: Node) -> int:
    """How many operands are rational numbers other than 1 and -1; in a sum these count too."""
    values = [exact(part) for part in node.args]
    return sum(value is not None and (node.op == "sum" or value not in SIGNS) for value in values)


def _is_scientific(node: Node) -> bool:
    last = node.args[-1]
    return len(node.args) == 2 and last.op == "power" and exact(last.args[0]) == 10


def _is_undone_quotient(node: Node) -> bool:
    top, bottom = node.args
    values = exact(top), exact(bottom)
    if node.op == "remainder":
        return None not in values
    if None in values or values[1] == 1 or (top.op == "number" and abs(values[0]) == 1):
        return False
    return not {top.op, bottom.op} <= {*FORMS_IN_A_FRACTION}


def _is_surd_sum(node: Node) -> bool:
    return node.op == "sum" and not letters(node) and exact(node) is None
