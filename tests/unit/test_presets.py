"""Presets of problem sets: how a block goes over them, and what they make of rows with the columns that are documented."""

import pathlib
from functools import partial

import pytest

from opsft.verify.golds import ungradable
from opsft.verify.interface import load_verifier
from opsft_flow.configuration.config import resolve
from opsft_flow.configuration.presets import load_presets
from opsft_flow.errors import ConfigError
from opsft_flow.graph.plan import Plan
from opsft_flow.problem_sets import prepare
from tests.unit.example_config import change, example_config

ROWS = pathlib.Path(__file__).resolve().parents[1] / "data" / "presets"
LIMITS = {"workers": 1, "timeout_s": 5.0, "memory_mb": 2048}
VERL = {"question": "prompt.0.content", "answer": "reward_model.ground_truth"}


def resolved(**block) -> dict:
    """A problem block with presets and defaults filled in."""
    return resolve(change(example_config(), "problems.train", block))["problems"]["train"]


# Ids and answers of the rows of each file in tests/data/presets; what is missing was left out.
EXPECTED = {
    "gsm8k-train": [("0", "12"), ("1", "2,400"), ("2", "-3")],
    "gsm8k-test": [("0", "12"), ("1", "2,400"), ("2", "-3")],
    "deepscaler": [("0", "2"), ("2", r"\frac{1}{2}")],
    "openthoughts3-math": [("0", "4")],
    "dapo-math": [("0", "34"), ("1", "-1")],
    "numinamath-1.5": [("0", "12"), ("4", "B")],
    "gpqa-diamond": [("0", "B"), ("1", "D"), ("2", "D")],
    "mmlu": [("0", "B"), ("1", "D")],
    "mmlu-pro": [("70", "J"), ("71", "B")],
    "math-500": [
        ("test/precalculus/1.json", r"\left( 1, \frac{\pi}{2} \right)"),
        ("test/algebra/2.json", "4"),
        ("test/prealgebra/3.json", r"\text{E}"),
    ],
    "aime24": [("60", "204"), ("61", "025"), ("62", "7")],
    "aime25": [("0", "70"), ("1", "588"), ("2", "016")],
    "amc23": [("0", "27.0"), ("1", "-1.0"), ("2", "45.0")],
    "minerva": [("0", "4.5e33"), ("1", r"I_{0} e^{-t / \tau}"), ("2", "30")],
    "olympiadbench": [("1606", r"$\frac{1}{2}$")],
}


def test_every_preset_is_tried():
    assert load_presets().keys() == EXPECTED.keys()


@pytest.mark.parametrize("preset", EXPECTED)
def test_a_preset_reads_the_columns_that_its_dataset_has(preset):
    source = ROWS / ("gsm8k.jsonl" if preset.startswith("gsm8k") else f"{preset}.jsonl")
    block = resolved(preset=preset, source=str(source))
    check_gold = load_verifier(block["verifier"]).check_gold
    prepared = prepare("set", block, {}, partial(ungradable, verifier=block["verifier"], **LIMITS))
    assert [(problem.id, problem.answer) for problem in prepared.problems] == EXPECTED[preset]
    assert all(problem.question for problem in prepared.problems)
    for problem in prepared.problems:
        check_gold(problem.answer)


@pytest.mark.parametrize("preset", EXPECTED)
def test_a_block_with_a_preset_is_the_block_written_out(preset):
    written = example_config()
    change(written, "problems.train", load_presets()[preset])
    named = change(example_config(), "problems.train", {"preset": preset})
    assert Plan(named).problem_settings("train") == Plan(written).problem_settings("train")
    assert resolve(resolve(named)) == resolve(named) == resolve(written)


def test_presets_put_before_the_model_what_it_needs_and_no_more():
    dapo, gpqa = (
        prepare("set", resolved(preset=preset, source=str(ROWS / f"{preset}.jsonl")), {}, lambda answers: [])
        for preset in ("dapo-math", "gpqa-diamond")
    )
    assert [problem.question for problem in dapo.problems] == ["Find $x$.\n\nIt is positive.", "Find $y$."]
    for problem, right in zip(gpqa.problems, ("Proton", "Neon", "T"), strict=True):
        assert f"\n{problem.answer}) {right}" in problem.question


def test_own_keys_go_over_the_preset():
    block = resolved(preset="math-500", split="train", limit=7, verifier="exact")
    assert (block["split"], block["limit"], block["verifier"]) == ("train", 7, "exact")
    assert block["source"] == "HuggingFaceH4/MATH-500"
    assert "preset" not in block


def test_a_local_copy_keeps_the_columns_of_the_preset():
    block = resolved(preset="olympiadbench", source="builtin:arithmetic")
    assert block["columns"]["answer"] == "final_answer.0"
    assert block["filter"]["is_multiple_answer"] == [False]


def test_other_columns_are_not_read_like_those_of_the_preset():
    block = resolved(preset="gsm8k-train", columns=VERL)
    assert block["columns"] == {**VERL, "id": None, "level": None, "options": None}
    assert (block["answer_pattern"], block["verifier"], block["split"]) == (None, "integer", "train")
    assert resolved(preset="olympiadbench", columns=VERL)["filter"] == {}
    assert resolved(preset="openthoughts3-math", columns=VERL)["answer_from"] == "text"


def test_presets_do_not_share_what_a_block_changes():
    resolved(preset="math-500")["columns"]["question"] = "changed"
    assert resolved(preset="math-500")["columns"]["question"] == "problem"


def test_an_unknown_preset_is_refused_with_those_that_there_are():
    with pytest.raises(ConfigError, match=r"problems\.train\.preset: found 'gsm8k'; allowed: gsm8k-train, .*olympiad"):
        resolved(preset="gsm8k")


@pytest.mark.parametrize("problems", [None, [], {"train": None}, {"train": {"preset": None, "source": 3}}])
def test_a_malformed_configuration_is_left_to_the_schema(problems):
    with pytest.raises(ConfigError, match=r"cannot be run:\n  problems"):
        resolve(change(example_config(), "problems", problems))
