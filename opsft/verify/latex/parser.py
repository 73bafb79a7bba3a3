r"""An expression in LaTeX as a tree, by recursive descent. Nothing is evaluated.

A juxtaposition binds tighter than a slash: `1/2x` is `1/(2x)`. Two numbers side by side are refused, but for a mixed number (`2\frac{1}{2}`).
"""

from fractions import Fraction

from opsft.verify.latex.brackets import tokens
from opsft.verify.latex.trees import Node, negative, number

FUNCTIONS = frozenset({
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "ln", "log", "lg", "exp",
    "gcd", "lcm", "max", "min", "Re", "Im", "arg",
})  # fmt: skip
CALLED = frozenset("fgFGP")
"""Letters before a parenthesis that name a function; any other is a factor."""
ACCENTS = frozenset({
    "overline", "bar", "vec", "hat", "tilde", "widehat", "widetilde", "overrightarrow", "angle", "triangle", "mathcal", "mathbb",
    "mathscr", "mathfrak", "text",
})  # fmt: skip
CLOSERS = {
    "(": ")", "[": "]", "{": "}", r"\{": r"\}", r"\lfloor": r"\rfloor", r"\lceil": r"\rceil", r"\langle": r"\rangle",
}  # fmt: skip
OPERATIONS = frozenset({
    r"\sum", r"\prod", r"\int", r"\lim", r"\det", r"\iint", r"\oint", r"\begin", r"\limsup", r"\liminf", r"\partial",
})  # fmt: skip
"""What makes an expression an operation as a whole, which is compared by its text."""
TIMES = frozenset({r"\cdot", r"\times", "*"})
ENDS = TIMES | {"+", "-", "/", ")", "]", "}", r"\}", r"\rfloor", r"\rceil", r"\rangle", ",", "|", r"\mod", r"\pmod"}
NO_OPERANDS = frozenset({"circ", "pm", "mp", "ldots", "pmod", "over", "le", "ge", "ne", "in"})


class Unreadable(ValueError):
    """The text is no expression."""


def parse(text: str) -> Node:
    """The tree of an expression. Raises Unreadable."""
    found = tokens(text)
    if not found:
        raise Unreadable("nothing stands here")
    if OPERATIONS & {*found}:
        return Node("operation", ("".join(found),))
    parser = Parser(found)
    tree = parser.sum()
    if parser.next is not None:
        raise Unreadable(f"{parser.next!r} is not expected here")
    return tree


class Parser:
    """Reads tokens from left to right."""

    def __init__(self, found: list[str]) -> None:
        self.tokens, self.at, self.bars = found, 0, 0

    @property
    def next(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, expected: str | None = None) -> str:
        token = self.next
        if token is None or (expected is not None and token != expected):
            raise Unreadable(f"{expected or 'an operand'} is missing")
        self.at += 1
        return token

    def sum(self) -> Node:
        terms = [self.signed()]
        while self.next in ("+", "-"):
            negative = self.take() == "-"
            term = self.signed()
            terms.append(Node("negative", (term,)) if negative else term)
        return terms[0] if len(terms) == 1 else Node("sum", tuple(terms))

    def signed(self) -> Node:
        if self.next == "+":
            self.take()
            return self.product()
        if self.next == "-":
            self.take()
            return negative(self.product())
        return self.product()

    def product(self) -> Node:
        left = self.juxtaposed()
        while self.next in TIMES or self.next in ("/", r"\mod"):
            sign = self.take()
            right = negative(self.unsigned_after_sign()) if self.next == "-" else self.juxtaposed()
            if sign in TIMES:
                left = Node("product", (*_factors(left), *_factors(right)))
            else:
                left = Node("quotient" if sign == "/" else "remainder", (left, right))
        return left

    def unsigned_after_sign(self) -> Node:
        self.take("-")
        return self.juxtaposed()

    def juxtaposed(self) -> Node:
        factors = [self.power()]
        while self.starts_factor():
            follows_number = _is_numeral(factors[-1])
            is_digit = self.next[0].isdigit() or self.next[0] == "."
            factor = self.power()
            if is_digit and factors[-1].op in ("number", "power", "quotient"):
                raise Unreadable("numbers stand side by side")
            if follows_number and _is_part(factor) and factors[-1].args[0].denominator == 1 and len(factors) == 1:
                factors = [number(factors[-1].args[0] + factor.args[0].args[0] / factor.args[1].args[0])]
            elif follows_number and factor.op == "quotient" and _is_part(factor):
                raise Unreadable("numbers stand side by side")
            else:
                factors.append(factor)
        return (
            factors[0]
            if len(factors) == 1
            else Node("product", tuple(part for one in factors for part in _factors(one)))
        )

    def starts_factor(self) -> bool:
        return self.next is not None and (self.next not in ENDS or (self.next == "|" and not self.bars))

    def power(self) -> Node:
        base = self.postfix()
        if self.next == "^":
            self.take()
            if self.next == "{" and self.tokens[self.at + 1 : self.at + 3] == [r"\circ", "}"]:
                self.at += 3
                return Node("degrees", (base,))
            if self.next == r"\circ":
                self.take()
                return Node("degrees", (base,))
            exponent = self.exponent()
            if self.next == "^":
                raise Unreadable("two exponents")
            return Node("power", (base, exponent))
        return base

    def exponent(self) -> Node:
        if self.next == "-":
            self.take()
            return negative(self.atom())
        return self.atom()

    def postfix(self) -> Node:
        base = self.atom()
        while self.next in ("!", "'"):
            sign = self.take()
            doubled = sign == "!" and self.next == "!"
            if doubled:
                self.take()
            if sign == "!":
                base = Node("double factorial" if doubled else "factorial", (base,))
            elif base.op == "symbol":
                base = Node("symbol", (f"{base.args[0]}'",))
            else:
                raise Unreadable("a prime stands after what is no name")
        return base

    def atom(self) -> Node:
        token = self.take()
        if token[0].isdigit() or (token[0] == "." and len(token) > 1):
            return number(Fraction(token))
        if token in CLOSERS:
            return self.bracketed(token)
        if token == "|":
            return self.absolute()
        if token.isalpha():
            return self.name(token)
        if token[0] == "\\" and len(token) > 1 and token[1].isalpha():
            return self.command(token[1:])
        raise Unreadable(f"{token!r} is not expected here")

    def bracketed(self, opening: str) -> Node:
        inside = self.sum()
        self.take(CLOSERS[opening])
        if opening in (r"\lfloor", r"\lceil"):
            return Node("call", (opening[2:], (inside,)))
        if opening in (r"\{", r"\langle"):
            raise Unreadable("a set is no operand")
        return inside

    def absolute(self) -> Node:
        self.bars += 1
        inside = self.sum()
        self.take("|")
        self.bars -= 1
        return Node("call", ("abs", (inside,)))

    def name(self, letter: str) -> Node:
        if letter in "ei" and self.next != "_":
            return Node("constant", (letter,))
        name = letter + self.subscript()
        while self.next == "'":
            self.take()
            name += "'"
        if letter in CALLED and self.next == "(":
            return Node("symbol", (name + self.raw_group("("),))
        return Node("symbol", (name,))

    def subscript(self) -> str:
        if self.next != "_":
            return ""
        self.take()
        return "_" + (self.raw_group("{").strip("{}") if self.next == "{" else self.take())

    def raw_group(self, opening: str) -> str:
        """The tokens of a group as they stand."""
        start, level = self.at, 0
        while True:
            token = self.take()
            level += (token == opening) - (token == CLOSERS[opening])
            if level == 0:
                return "".join(self.tokens[start : self.at])

    def group(self) -> Node:
        """A braced expression, or the one sign that stands in its place: `\\frac12`."""
        if self.next == "{":
            self.take()
            return self.bracketed("{")
        token = self.next
        if token is not None and token.isdigit() and len(token) > 1:
            self.tokens[self.at : self.at + 1] = [token[0], token[1:]]
        return self.atom()

    def command(self, name: str) -> Node:
        if name == "frac":
            return Node("quotient", (self.group(), self.group()))
        if name == "sqrt":
            return self.root()
        if name == "binom":
            return Node("call", ("binom", (self.group(), self.group())))
        if name in ("pi", "infty"):
            return Node("constant", (name,))
        if name in FUNCTIONS:
            return self.function(name)
        if name in ACCENTS:
            return self.accented(name)
        if name in NO_OPERANDS:
            raise Unreadable(rf"\{name} is not expected here")
        return Node("symbol", ("\\" + name + self.subscript(),))

    def accented(self, name: str) -> Node:
        inside = self.raw_group("{").strip("{} ") if self.next == "{" else self.take()
        if name in ("angle", "triangle"):
            while self.next is not None and self.next.isalpha():
                inside += self.take()
        if name == "text" and inside in ("e", "i"):
            return Node("constant", (inside,))
        return Node("symbol", (("" if name == "text" else f"\\{name} ") + inside + self.subscript(),))

    def root(self) -> Node:
        degree = number(2)
        if self.next == "[":
            self.take()
            degree = self.bracketed("[")
        return Node("root", (self.group(), degree))

    def function(self, name: str) -> Node:
        base = exponent = None
        while self.next in ("_", "^"):
            if self.take() == "_":
                base = self.group()
            else:
                exponent = self.exponent()
        call = Node("call", (name, (*self.arguments(), *([base] if base else []))))
        if exponent == negative(number(1)) and name in ("sin", "cos", "tan"):
            return Node("call", ("arc" + name, call.args[1]))
        return call if exponent is None else Node("power", (call, exponent))

    def arguments(self) -> tuple[Node, ...]:
        if self.next in ("(", "{"):
            opening = self.take()
            found = [self.sum()]
            while self.next == ",":
                self.take()
                found.append(self.sum())
            self.take(CLOSERS[opening])
            return tuple(found)
        factors = [self.power()]
        while self.starts_factor() and self.next.removeprefix("\\") not in FUNCTIONS and self.next != "(":
            factors.append(self.power())
        return (factors[0] if len(factors) == 1 else Node("product", tuple(factors)),)


def _factors(node: Node) -> tuple[Node, ...]:
    return node.args if node.op == "product" else (node,)


def _is_numeral(node: Node) -> bool:
    return node.op == "number"


def _is_part(node: Node) -> bool:
    """Whether the node is a fraction of two plain positive integers, as in a mixed number."""
    return node.op == "quotient" and all(map(_is_numeral, node.args)) and node.args[1].args[0] > 0
