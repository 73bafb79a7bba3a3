# ruff: noqa: RUF001
r"""One way to write each sign, whatever the answer was typed or typeset with.

Also what closes a text that is no LaTeX at all: `pi/2`, `sqrt(3)`, `-2*pi`.
"""

import re
import unicodedata
from functools import lru_cache

from opsft.verify.errors import UnparseableAnswer

UNICODE = {
    "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": "/", "∗": "*", "∕": "/", "⁄": "/",
    "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "±": r"\pm ", "∓": r"\mp ", "∞": r"\infty ",
    "°": r"^{\circ}", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "ℝ": r"\mathbb{R}",
    "π": r"\pi ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "λ": r"\lambda ", "ω": r"\omega ",
    "φ": r"\phi ", "μ": r"\mu ", "Ω": r"\Omega ", "Δ": r"\Delta ", "∠": r"\angle ", "′": "'", "’": "'", "‘": "'",
    "“": '"', "”": '"', "…": r"\ldots ", "€": r"\$", "£": r"\$", "¥": r"\$", "¢": r"\text{ cents}", "∖": r"\setminus ",
    "⟨": r"\langle ", "⟩": r"\rangle ",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u2003": " ",
}  # fmt: skip
MAX_CHARS = 4000
FULL_WIDTH = "\uff01", "\uff5e"
"""The first and last of the wide forms of ASCII that Chinese and Japanese texts use."""
TYPED = {"<=": r"\le ", ">=": r"\ge ", "!=": r"\ne "}
HALVES = {
    "½": "1/2",
    "⅓": "1/3",
    "⅔": "2/3",
    "¼": "1/4",
    "¾": "3/4",
    "⅕": "1/5",
    "⅖": "2/5",
    "⅗": "3/5",
    "⅘": "4/5",
    "⅙": "1/6",
    "⅛": "1/8",
}
FRACTION_SIGNS = {sign: rf"\frac{{{value[0]}}}{{{value[2]}}}" for sign, value in HALVES.items()}

SYNONYMS = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge",
    "neq": "ne", "lt": "<", "gt": ">", "varnothing": "emptyset", "R": r"mathbb{R}", "mid": "|", "vert": "|", "lvert": "|",
    "rvert": "|", "lbrack": "[", "rbrack": "]", "lbrace": r"\{", "rbrace": r"\}", "ast": "*", "div": "/", "colon": ":",
    "dots": "ldots", "cdots": "ldots", "dotsc": "ldots", "degree": r"^{\circ}", "imath": "i", "minus": "-", "plus": "+",
    "lparen": "(", "rparen": ")", "dbinom": "binom", "tbinom": "binom", "wedge": "land", "vee": "lor", "backslash": "setminus",
    "equiv": "equiv", "varphi": "phi", "varepsilon": "epsilon", "textpi": "pi", "textdegree": r"^{\circ}", "percent": r"\%",
    "thinspace": " ", "enspace": " ", "quad": " ", "qquad": " ", "euro": r"\$", "pounds": r"\$", "textdollar": r"\$", "bmod": "mod",
}  # fmt: skip
# Sizes and styles, which say nothing.
SILENT = re.compile(
    r"\\(?:left|right|middle|big|Big|bigg|Bigg|bigl|bigr|Bigl|Bigr|biggl|biggr|Biggl|Biggr|displaystyle|textstyle|limits|nolimits"
    r"|boldsymbol|mathbf|mathit|mathsf|mathtt|bm|bf|it|rm|tt|ensuremath|normalfont|Large|large|huge)(?![a-zA-Z])\.?"
)
TEXT = re.compile(
    r"\\(?:text|textnormal|textrm|textbf|textit|textsf|texttt|mathrm|operatorname|mbox|hbox|mathord|emph|underline)\*?\s*(?=\{)"
)
COMMAND = re.compile(r"\\([a-zA-Z]+)")
SPACE = re.compile(r"(?<!\\)\\[,;:!>/ ]|(?<!\\)\\(?=\s)|~|[ \t\r\n]+")
WRAPPED = re.compile(r"(?<!\\)\\[()\[\]]|(?<!\\)\$")
DOUBLED = re.compile(r"\\\\(?=[a-zA-Z])")
# Names of functions and letters in a text without backslashes.
PLAIN_NAME = re.compile(
    r"(?<![\\a-zA-Z])(pi|sqrt|infinity|infty|inf|theta|alpha|beta|gamma|lambda|sin|cos|tan|cot|sec|csc|ln|log|exp|arcsin|arccos|arctan)(?![a-zA-Z])"
)
SUPERSCRIPT = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
ROOT_SIGN = re.compile(r"√\s*(\d+|[a-zA-Z]|\([^()]*\))", re.ASCII)
TYPED_TIMES = re.compile(r"(?<=\d) ?x ?(?=10 ?\^)")
NOT_EQUAL = re.compile(r"\\not\s*=")
NEGATION = re.compile(r"\\(?:not|notin|neg|lnot)(?![a-zA-Z])")
OVER = re.compile(r"\{([^{}]*)\\over(?![a-zA-Z])([^{}]*)\}")
EMPHASIS = re.compile(r"^\s*\*\*([^*]+)\*\*\s*$")
SQRT_OF_PARENTHESIS = re.compile(r"\\sqrt\s*\(([^()]*)\)")


@lru_cache(maxsize=1024)
def respell(text: str) -> str:
    """`text` in plain ASCII LaTeX, with one space at most between two signs.

    Raises UnparseableAnswer for characters that have no reading (invisible ones, other scripts' digits, combining marks), and for a text that would have
    more than MAX_CHARS.
    """
    text = SUPERSCRIPT.sub(lambda found: f"^{{{unicodedata.normalize('NFKC', found[0])}}}", text)
    text = "".join(map(_ascii, ROOT_SIGN.sub(r"\\sqrt{\1}", text)))
    if len(text) > MAX_CHARS:
        raise UnparseableAnswer(f"{text[:80]!r} has more than {MAX_CHARS:,} characters in LaTeX")
    text = re.sub(r"\\dot\{(\d)\}", r"\\overline{\1}", text)
    if "matrix" not in text and "cases" not in text and "array" not in text:
        text = DOUBLED.sub(r"\\", text)
    text = re.sub(r",\\!\s*", ",", text).replace("{,}", ",").replace("{:}", ":")
    text = SPACE.sub(" ", text)
    text = re.sub(r"\\(text|mathrm|textbf)\s*\{\s*\\?\$\s*\}", "", text)
    text = text.replace(r"\$", "")
    text = SILENT.sub("", WRAPPED.sub("", text))
    text = COMMAND.sub(_synonym, TEXT.sub(r"\\text", text))
    text = PLAIN_NAME.sub(_named, text) if "\\text" not in text else text
    text = re.sub(r"(?<=[\w)}])\*\*(?=[\w({-])", "^", text)
    for typed, sign in TYPED.items():
        text = text.replace(typed, sign)
    text = SQRT_OF_PARENTHESIS.sub(r"\\sqrt{\1}", text)
    text = NOT_EQUAL.sub(r"\\ne ", text)
    if NEGATION.search(text):
        raise UnparseableAnswer(f"{text[:80]!r} says what the answer is not")
    text = TYPED_TIMES.sub(r"\\times ", text)
    text = OVER.sub(r"\\frac{\1}{\2}", EMPHASIS.sub(r"\1", text))
    text = re.sub(r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}", text)
    text = re.sub(
        r"(?<=[\d}])\s*(?:pct|percent|percentage|\\text\{ *(?:pct|percent|percentage) *\})(?![a-zA-Z])", r"\\%", text
    )
    return re.sub(r" +", " ", text).strip()


def _ascii(character: str) -> str:
    if " " <= character <= "~" or character in "\t\n\r":
        return character
    found = UNICODE.get(character) or FRACTION_SIGNS.get(character)
    if found:
        return found
    if FULL_WIDTH[0] <= character <= FULL_WIDTH[1]:
        return chr(ord(character) - ord(FULL_WIDTH[0]) + ord("!"))
    if unicodedata.category(character) in ("Lu", "Ll", "Lo") and not character.isdigit():
        return character
    raise UnparseableAnswer(f"the character {character!a} has no reading")


def _synonym(command: re.Match) -> str:
    name = command[1]
    found = SYNONYMS.get(name)
    if found is None:
        return command[0]
    return found + " " if not found[0].isalpha() else "\\" + found


def _named(name: re.Match) -> str:
    return "\\" + {"infinity": "infty", "inf": "infty"}.get(name[1], name[1]) + " "
