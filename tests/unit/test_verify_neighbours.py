"""Golds of the kinds that benchmarks have: each matches itself, and none of its neighbours."""

import re

import pytest

from benchmarks.answers import wrong_answers
from opsft.verify.interface import load_verifier
from opsft.verify.pair import grade_pair

MATH = load_verifier("math")
GOLDS = (
    "0", "7", "-204", "1,250", "0.45", "-3.70", "6.02e23", r"1.6 \times 10^{-19}", "2^{2010}", r"3^{99}-1", "100!", r"\frac{1}{2^{99}}",
    r"\frac{14}{3}", r"-\frac{5}{12}", r"2\frac{3}{4}", r"3\sqrt{13}", r"\sqrt[3]{15}", r"\frac{\sqrt{21}}{8}", r"12\pi", r"\frac{3\pi}{7}",
    r"\log_2 7", r"\binom{40}{17}", "5-12i", r"4 \pm \sqrt{19}", "x^3-7x+5", r"\frac{2x+3}{x-4}", "y = 5x - 8", r"x^2 + 3y^2 = 17", "(3,-8)",
    "(2, 5, 11)", r"[-4, 9)", r"(-\infty,-6) \cup (13,\infty)", "4, 15", r"\{3, 8, 20\}", r"x \ge 14", "3:8", "10:45", "2013_5", r"35^\circ", r"62\%",
    r"\$14.50", r"9 \text{ cm}^2", r"\begin{pmatrix} 4 \\ -9 \end{pmatrix}", r"\text{Thursday}", r"\text{(C)}",
)  # fmt: skip


def neighbours(gold: str) -> set[str]:
    """What is wrong in one way: by one, a digit, the sign, a factor of ten, a hair of a large power, the order of a tuple."""
    found = {*wrong_answers(gold)}
    whole = re.fullmatch(r"(?:\d+\^\{\d+\}(?:-1)?|\d+!?|\\(?:binom|frac|sqrt).*)", gold)
    if whole:
        found |= {f"{gold}+1", f"{gold}-1"}
    if whole and gold != "0":
        found |= {f"-{gold}", rf"10 \cdot {gold}", rf"{gold} \cdot 10^{{-1}}"}
    pair = re.fullmatch(r"\(([^,()]+), ?([^,()]+)((?:,[^,()]+)?)\)", gold)
    if pair:
        found.add(f"({pair[2]},{pair[1]}{pair[3]})")
    return found


@pytest.mark.parametrize("gold", GOLDS)
def test_a_gold_matches_itself_and_no_neighbour(gold):
    assert grade_pair(MATH, gold, gold) == "correct"
    assert neighbours(gold)
    assert [answer for answer in neighbours(gold) if grade_pair(MATH, answer, gold) == "correct"] == []
