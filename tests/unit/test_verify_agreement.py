"""The golds of known benchmarks against themselves, against systematically wrong answers, and against plain math-verify."""

import pathlib

import pytest
import yaml

from benchmarks.answers import FOLDER, read_golds, wrong_answers
from opsft.verify import math as latex
from opsft.verify.grade import grade_pairs
from opsft.verify.pair import Pair

LIMITS = {"workers": 2, "timeout_s": 5.0, "memory_mb": 1024}
PLAIN = "tests.unit.plain_math_verify:matches"
DISAGREEMENTS = yaml.safe_load((pathlib.Path(__file__).parents[1] / "data" / "disagreements.yaml").read_text())
SETS = ("math500", "gsm8k", "aime24", "aime25")
INTEGER_SETS = ("gsm8k", "aime24", "aime25")

with_local_copies = pytest.mark.skipif(
    not all((FOLDER / name / "test.parquet").exists() for name in SETS),
    reason=f"needs local copies of {', '.join(SETS)} in {FOLDER.name}/",
)


def wrong_pairs(names: tuple[str, ...]) -> list[Pair]:
    pairs = ((answer, gold) for name in names for gold in read_golds(name) for answer in wrong_answers(gold))
    return list(dict.fromkeys(pairs))


def graded_correct(pairs: list[Pair], verifier: str) -> set[Pair]:
    return {pair for pair, grade in grade_pairs(pairs, verifier, **LIMITS).items() if grade == "correct"}


@pytest.fixture(scope="module")
def accepted() -> set[Pair]:
    """What `math` accepts of every gold with itself, and with every wrong answer of MATH-500, of which there are the most kinds."""
    own = [(gold, gold) for name in SETS for gold in read_golds(name)]
    return graded_correct(list(dict.fromkeys([*own, *wrong_pairs(("math500",))])), "math")


@with_local_copies
def test_no_wrong_answer_has_the_vote_of_a_gold():
    assert [
        (answer, gold) for answer, gold in wrong_pairs(("math500",)) if latex.canonical(answer) == latex.canonical(gold)
    ] == []


@with_local_copies
def test_math_accepts_every_gold_and_no_wrong_answer(accepted):
    assert len(wrong_pairs(("math500",))) > 1000
    assert accepted == {(gold, gold) for name in SETS for gold in read_golds(name)}


@with_local_copies
def test_integer_accepts_every_gold_and_no_wrong_answer():
    golds = dict.fromkeys(gold for name in INTEGER_SETS for gold in read_golds(name))
    pairs = [*((gold, gold) for gold in golds), *wrong_pairs(INTEGER_SETS)]
    assert len(pairs) > 2000
    assert graded_correct(pairs, "integer") == {(gold, gold) for gold in golds}


@with_local_copies
def test_every_disagreement_with_plain_math_verify_on_the_golds_is_listed(accepted):
    golds = [(gold, gold) for gold in read_golds("math500")]
    pairs = list(dict.fromkeys([*golds, *wrong_pairs(("math500",))]))
    listed = {(answer, gold) for group in DISAGREEMENTS["benchmarks"] for gold, answer in group["pairs"]}
    assert graded_correct(pairs, PLAIN) ^ (accepted & {*pairs}) == listed


@pytest.mark.parametrize(("verifier", "key"), [("math", "math"), (PLAIN, "plain")])
def test_the_listed_disagreements_are_such(verifier, key):
    groups = [*DISAGREEMENTS["benchmarks"], *DISAGREEMENTS["forms"]]
    expected = {(answer, gold): group[key] for group in groups for gold, answer in group["pairs"]}
    assert grade_pairs(list(expected), verifier, **LIMITS) == expected
    assert all((group["math"] == "correct") != (group["plain"] == "correct") for group in groups)
