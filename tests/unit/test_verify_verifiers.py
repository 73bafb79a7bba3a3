"""How each verifier compares two answers."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsft.verify import choice, exact, integer
from opsft.verify import math as latex
from opsft.verify.errors import UnevaluatedAnswer, UnparseableAnswer, UnparseableGold


@pytest.mark.parametrize("module", [choice, exact, integer, latex])
def test_a_verifier_grades_its_own_self_test_right(module):
    assert {equal for _, _, equal in module.SELF_TEST} == {True, False}
    for answer, gold, equal in module.SELF_TEST:
        module.check_gold(gold)
        assert module.matches(answer, gold) is equal


@pytest.mark.parametrize("module", [choice, exact, integer, latex])
@pytest.mark.parametrize("gold", ["", "  "])
def test_an_empty_gold_is_unparseable(module, gold):
    with pytest.raises(UnparseableGold):
        module.check_gold(gold)


@pytest.mark.parametrize(
    ("module", "forms", "another"),
    [
        (integer, ["1,234", "1234", r"\$1,234.00", r"1{,}234 \text{ cm}"], "-1234"),
        (integer, ["one half", "one  half"], "1/2"),
        (choice, ["B", "(b)", r"\text{B}"], "C"),
        (exact, ["North  West", "north west"], "south"),
        (latex, ["1,234", "1234", r"\$1234.", r"1234\text{ cm}"], "1235"),
        (latex, [r"\left(3, \dfrac{\pi}{2}\right)", r"(3,\frac{\pi}{2})", r"$(3,\ \tfrac{\pi}{2})$"], r"(3, \pi)"),
        (latex, [r"50\%", r"50 \%"], "50"),
        (latex, ["1 1/2", r"1~1 / 2", r"1\ 1/2"], "11/2"),
        (
            latex,
            [r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"],
            r"\begin{pmatrix}12\end{pmatrix}",
        ),
    ],
)
def test_an_answer_has_one_canonical_form_however_it_is_set(module, forms, another):
    assert len({module.canonical(form) for form in forms}) == 1
    assert module.canonical(another) != module.canonical(forms[0])


def test_exact_ignores_case_and_whitespace_only():
    assert exact.matches(" North\n West", "north west")
    assert not exact.matches("northwest", "north west")
    assert not exact.matches("7.0", "7")


@pytest.mark.parametrize(
    "text",
    [
        "1234",
        "+1,234",
        "1{,}234",
        r"1,\!234",
        r"1\,234",
        "$1234",
        r"\$1,234",
        r"\$ 1234",
        "$1,234$",
        "1234.",
        "1234.00",
        "1234%",
        r"1234\%",
        r"1234 \text{ apples}",
        r"1234\,\mathrm{cm}^2",
        r"1234~\text{m}^{3}.",
        "  1234  ",
        "01234",
        r"1234^{\circ}",
        r"1234^\circ",
        "1234°",
        "x = 1234",
        r"\angle ABC = 1234^\circ",
        r"\text{1234}",
        r"\textbf{1234}",
        r"\mathbf{1234}",
        r"\(1234\)",
        r"\[1234\]",
        r"1234\$",
        "1234 dollars",
        "**1234**",
        "m + n = 1234",
        "1 234",
        "1234.0",
        "\uff11\uff12\uff13\uff14",
    ],
)
def test_integer_reads_one_number_however_it_is_written(text):
    assert integer.read_integer(text) == 1234


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "12a",
        "1.5",
        "1,23",
        "12,34",
        "1 2",
        "1/2",
        "2x = 5",
        "x = 5 or 6",
        "5 or 6",
        r"5 \text{ or 6}",
        r"5 \text{ or more}",
        r"5 \text{ dozen } 6",
        r"\frac{5}{1}",
        "5x",
        r"5^2",
        "-x = 5",
        r"5 \text{ halves}",
        r"5 \text{ or } 6",
        "--5",
        "\u0665",  # arabic-indic five
        "²",
        "\u200f5",  # after a right-to-left mark
        "5\x00",
        "9" * 101,
        "__import__('os')",
        "9^9",
    ],
)
def test_integer_refuses_what_is_not_one_integer(text):
    assert integer.read_integer(text) is None
    with pytest.raises(UnparseableGold):
        integer.check_gold(text)
    with pytest.raises(UnparseableAnswer):
        integer.matches(text, "5")


@given(st.integers(-(10**99), 10**99))
def test_integer_reads_every_form_of_an_integer(number):
    for form in (f"{number}", f"{number:,}", f"${number:,}$", f"{number}.0", rf"{number:,}\text{{ m}}^2"):
        assert integer.read_integer(form) == number


@given(st.integers(), st.integers())
def test_integer_matches_equal_numbers_only(left, right):
    assert integer.matches(f"{left:,}", str(right)) is (left == right)


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "b",
        "(B)",
        "(b)",
        "B)",
        "[B]",
        "B.",
        "B:",
        "$B$",
        "**B**",
        r"\text{B}",
        r"\text{(B)}.",
        r"\textbf{(B) }",
        r"\mathrm{\text{B}}",
        "Option B",
        "Answer: B",
        " B ",
        r"\textbf{(B)}\ 5",
        r"\text{B. } x+1",
        "B) 5",
        "(B) the second",
    ],
)
def test_choice_reads_one_letter_however_it_is_written(text):
    assert choice.read_choice(text) == "B"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "K",
        "BB",
        "A, B",
        "B or C",
        r"\text{B} \text{C}",
        "(B",
        "7",
        "\u0392",
        "\u200fB",
        "B\x00",
        "not B",
        "(A) or (B)",
        r"\text{(A)} \text{(B)}",
        "B 5",
    ],
)
def test_choice_refuses_what_is_not_one_letter(text):
    assert choice.read_choice(text) is None
    with pytest.raises(UnparseableGold):
        choice.check_gold(text)
    with pytest.raises(UnparseableAnswer):
        choice.matches(text, "B")


def test_choice_matches_every_letter_with_itself_only():
    letters = "ABCDEFGHIJ"
    for gold in letters:
        assert [letter for letter in letters if choice.matches(rf"\text{{({letter.lower()})}}", gold)] == [gold]


GOLDS = (
    "72",
    "1,234",
    r"11,\! 111,\! 111,\! 100",
    r"\frac{1}{2}",
    r"\frac{270}7\text{ degrees}",
    r"864 \mbox{ inches}^2",
    r"8 \mathrm{~km} / \mathrm{h}",
    r"\left( 3, \frac{\pi}{2} \right)",
    "p - q",
    r"3\sqrt{13}",
    r"\text{Evelyn}",
    r"\text{(C)}",
    r"x \in [-2,7]",
    r"(-\infty, 2) \cup (3, \infty)",
    "y = 2x + 3",
    r"90^\circ",
    r"5.4 \text{ cents}",
    r"10\%",
    r"6 - 5i",
    r"\begin{pmatrix} 1 \\ -2 \end{pmatrix}",
    r"1,-2",
)


@pytest.mark.parametrize("gold", GOLDS)
def test_math_matches_a_gold_with_itself_and_with_no_other(gold):
    latex.check_gold(gold)
    assert [other for other in GOLDS if latex.matches(gold, other)] == [gold]


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("1234", "1,234"),
        (r"1\,234\,567", "1,234,567"),
        ("1 234", "1234"),
        ("0.5", r"\frac12"),
        (r"\dfrac{2}{4}", r"\frac{1}{2}"),
        (r"2\frac{1}{2}", r"\frac{5}{2}"),
        (r"(3,\pi/2)", r"\left( 3, \frac{\pi}{2} \right)"),
        ("-q + p", "p - q"),
        ("Evelyn", r"\text{Evelyn}"),
        (r"x = \text{Evelyn}", r"\text{Evelyn}"),
        ("[-2, 7]", r"x \in [-2,7]"),
        ("x = 5", "5"),
        ("2 + 3 = 5", "5"),
        ("3, 4", "4, 3"),
        (r"5 \text{ cm}^{2}", "5"),
        ("8", r"8 \mathrm{~km} / \mathrm{h}"),
        (r"\$10", "10"),
        ("$5$", "5"),
        (r"\sqrt{117}", r"3\sqrt{13}"),
        ("5.", "5"),
    ],
)
def test_math_matches_equal_answers(answer, gold):
    assert latex.matches(answer, gold)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("48 + 24", "72"),
        ("96 - 24", "72"),
        (r"6 \cdot 12", "72"),
        (r"\frac{48 + 24}{1}", "72"),
        ("x = 48 + 24", "72"),
        (r"48 + 24 \text{ apples}", "72"),
        ("2^3 + 64", "72"),
        ("3! + 4!", "30"),
        (r"1 - \frac{1}{3}", r"\frac{2}{3}"),
        (r"\frac{1}{2} \cdot \frac{1}{2}", "0.25"),
        ("(1 + 2, 4)", "(3, 4)"),
        ("y = 2x + 1 + 2", "y = 2x + 3"),
        (r"\begin{pmatrix} 1 + 1 \\ 3 \end{pmatrix}", r"\begin{pmatrix} 2 \\ 3 \end{pmatrix}"),
    ],
)
def test_math_refuses_arithmetic_left_undone(answer, gold):
    with pytest.raises(UnevaluatedAnswer):
        latex.matches(answer, gold)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("48 + 24 = 72", "72"),
        ("48 + 24", "40 + 32"),
        ("2^{10}", "1024"),
        ("5!", "120"),
        (r"\frac{24}{2}", "12"),
        (r"1.2 \times 10^3", "1200"),
        (r"1 + \sqrt{2}", r"\sqrt{2} + 1"),
        ("6 - 5i", "6 - 5i"),
        ("(x - 1)(x + 1)", "x^2 - 1"),
        ("-7", "-7"),
        (r"10\%", r"10\%"),
    ],
)
def test_math_takes_other_forms_of_a_number_for_evaluated(answer, gold):
    assert latex.matches(answer, gold)


def test_no_library_that_evaluates_text_is_asked():
    code = (
        "import sys; from opsft.verify import math\n"
        "assert math.matches('2(x+1)', '2x+2')\n"
        "print(sorted({'sympy', 'math_verify', 'latex2sympy2_extended', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("0.33", r"\frac{1}{3}"),
        ("3.14", r"\pi"),
        ("q - p", "p - q"),
        ("(3, 4)", "(4, 3)"),
        ("(-2, 7)", r"x \in [-2,7]"),
        (r"\infty", r"-\infty"),
        ("5 or 6", "5"),
        ("1, 2, 3, 4, 5", "5"),
        (r"5 \text{ h and } 30 \text{ min}", "5"),
        (r"5 \text{ or maybe } \frac{1}{2}", "5"),
        ("2c", "2"),
    ],
)
def test_math_tells_different_or_hedged_answers_apart(answer, gold):
    assert not latex.matches(answer, gold)


@pytest.mark.parametrize(
    "answer",
    [
        "5 @ 6",
        "5 6",
        r"5 \quad 6",
        r"5 \text{ or 6}",
        "the answer is: 5?",
        "\u200f5",
        "5\x00",
        r"\boxed{6} 5",
        r"10^{10^{10}}",
        r"\frac{1}{0}",
        "__import__('os')",
    ],
)
def test_math_refuses_what_it_cannot_read_whole(answer):
    with pytest.raises(UnparseableAnswer):
        latex.matches(answer, "5")


@pytest.mark.parametrize("gold", ["5 6", "1" * 2001, "$"])
def test_math_refuses_an_unreadable_gold(gold):
    with pytest.raises(UnparseableGold):
        latex.check_gold(gold)


def test_verifying_integers_imports_nothing_heavy():
    code = (
        "import sys; from opsft.verify import Response, verify\n"
        "for name in ('integer', 'exact'):\n"
        "    assert verify([Response(r'\\boxed{7}', '7', True, False)], name, 1, 1.0, 512)[0].correct\n"
        "print(sorted({'sympy', 'torch', 'pebble', 'numpy', 'math_verify'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
