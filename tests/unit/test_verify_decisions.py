"""What `math` decides: the table of docs/verification.md, and the corpus of graded answers."""

import pathlib
import re

import pytest
import yaml

from opsft.verify.interface import load_verifier
from opsft.verify.pair import grade_pair

ROOT = pathlib.Path(__file__).parents[2]
MATH = load_verifier("math")
CORPUS = yaml.safe_load((ROOT / "tests" / "data" / "graded_answers.yaml").read_text())
ROW = re.compile(r"\| `(?P<gold>.+?)` \| `(?P<answer>.+?)` \| (?P<verdict>\w+) \| .+ \|")


def decisions() -> list[tuple[str, str, str]]:
    """The rows of the table: gold, answer and verdict."""
    page = (ROOT / "docs" / "verification.md").read_text()
    table = page[page.index("<!-- decisions -->") : page.index("<!-- end decisions -->")]
    return [ROW.fullmatch(line).groups() for line in table.splitlines()[3:]]


def test_the_page_says_what_is_decided():
    rows = decisions()
    assert len(rows) > 70
    assert [(gold, answer, grade_pair(MATH, answer, gold)) for gold, answer, _ in rows] == rows


@pytest.mark.parametrize("group", CORPUS, ids=lambda group: group["kind"])
def test_each_kind_of_answer_is_graded_as_listed(group):
    expected = [("correct", *pair) for pair in group["right"]] + [("refused", *pair) for pair in group["wrong"]]
    found = [(grade_pair(MATH, answer, gold), gold, answer) for _, gold, answer in expected]
    assert [("correct" if grade == "correct" else "refused", gold, answer) for grade, gold, answer in found] == expected


@pytest.mark.parametrize("group", CORPUS, ids=lambda group: group["kind"])
def test_answers_with_one_vote_have_one_grade(group):
    """maj@k counts by the canonical form, so two answers that share it must be right or wrong together."""
    wrong = {(gold, MATH.canonical(answer)) for gold, answer in group["wrong"]}
    assert not wrong & {(gold, MATH.canonical(answer)) for gold, answer in group["right"]}
