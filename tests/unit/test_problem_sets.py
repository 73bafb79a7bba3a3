"""Problem sets as they are prepared: what is left out by which key, in which order, and how it is counted."""

import json
from functools import partial

import pytest

from opsft.problems import Problem
from opsft.verify.golds import ungradable
from opsft_flow.configuration.config import resolve
from opsft_flow.problem_sets import Prepared, boxed_answer, not_drawn, prepare
from tests.unit.example_config import change, example_config

LIMITS = {"workers": 1, "timeout_s": 1.0, "memory_mb": 512}
QUESTION = "How many apples does Ann have if she had 3 and got 4 more from her aunt on Monday?"


@pytest.fixture
def make(tmp_path):
    """Prepares a set of (question, answer) pairs in a local file, by the given keys of its block."""

    def prepare_pairs(pairs: list[tuple], others: dict | None = None, **keys) -> Prepared:
        rows = [{"question": question, "answer": answer, "n": i} for i, (question, answer) in enumerate(pairs)]
        (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        given = {"source": str(tmp_path / "set.jsonl"), "verifier": "integer", "template": "{question}", **keys}
        config = change(example_config(), "problems.train", given)
        return prepare(
            "set", resolve(config)["problems"]["train"], others or {}, partial(ungradable, verifier="integer", **LIMITS)
        )

    return prepare_pairs


def ids(prepared: Prepared) -> list[str]:
    return [problem.id for problem in prepared.problems]


def numbered(count: int) -> list[tuple]:
    return [(f"{i} + 1", i + 1) for i in range(count)]


def as_others(*questions: str) -> dict[str, list[Problem]]:
    return {"easy-set": [Problem(str(i), question, "1", None) for i, question in enumerate(questions)]}


def test_a_set_in_order_is_used_whole(make):
    prepared = make(numbered(4))
    assert prepared.problems == [Problem(str(i), f"{i} + 1", str(i + 1), None) for i in range(4)]
    assert prepared.report() == {
        "rows": 4,
        "problems": 4,
        "left_out": {"filter": 0, "no answer": 0},
        "repeated": 0,
        "examples": {},
    }
    assert prepared.describe() == "4 problems of 4 rows"


def test_a_part_is_drawn_by_the_seed_in_the_original_order(make):
    part = make(numbered(20), limit=5)
    assert len(part.problems) == 5
    assert [int(each) for each in ids(part)] == sorted(int(each) for each in ids(part))
    assert ids(part) == ids(make(numbered(20), limit=5)) != ids(make(numbered(20), limit=5, seed=1))
    assert part.report()["left_out"]["limit"] == 15
    assert not_drawn(part.problems, 5, 0) == not_drawn(part.problems, 9, 0) == []


def test_what_is_filtered_out_is_counted(make):
    prepared = make(numbered(5), filter={"n": {"min": 2}})
    assert ids(prepared) == ["2", "3", "4"]
    assert prepared.report()["examples"] == {"filter": ["0", "1"]}


def test_problems_that_cannot_be_graded_are_left_out_or_refused(make):
    pairs = [("a", "1"), ("b", None), ("c", "x"), ("d", ""), ("e", "x")]
    prepared = make(pairs, unusable="drop")
    assert ids(prepared) == ["0"]
    left_out = {"filter": 0, "no answer": 2, "ungradable answer": 2}
    assert prepared.report()["left_out"] == left_out
    assert prepared.report()["examples"] == {"no answer": ["1", "3"], "ungradable answer": ["2", "4"]}
    with pytest.raises(ValueError, match=r"no answer in row 1, 3 .*`unusable: drop` leaves such rows out$"):
        make(pairs)


def test_repeated_questions_are_counted_and_left_out_by_key(make):
    pairs = [("1 + 1", "2"), ("1+1?", "2"), ("2", "2")]
    kept = make(pairs)
    assert (ids(kept), kept.repeated) == (["0", "1", "2"], ["1"])
    assert kept.describe() == "3 problems of 3 rows; 1 of them repeated"
    assert kept.report()["examples"] == {"repeated": ["1"]}
    dropped = make(pairs, duplicates="drop")
    assert (ids(dropped), dropped.repeated) == (["0", "2"], [])
    assert dropped.report()["left_out"]["repeated"] == 1


def test_a_question_with_different_answers_is_refused_and_left_out_by_key(make):
    pairs = [("1 + 1", "2"), ("3", "3"), ("1 + 1", "11")]
    message = (
        r"^problem set 'set': the same question has different answers in problem 0, 2; "
        r"`duplicates: drop` leaves all of them out$"
    )
    with pytest.raises(ValueError, match=message):
        make(pairs)
    dropped = make(pairs, duplicates="drop")
    assert ids(dropped) == ["1"]
    assert dropped.report()["left_out"]["same question, different answers"] == 2


def test_rows_that_repeat_with_their_ids_are_left_out_by_key(make):
    pairs, columns = [("1 + 1", "2"), ("3", "3"), ("1 + 1", "2")], {"id": "question"}
    with pytest.raises(ValueError, match=r"ids occur more than once: problem 1 \+ 1; `duplicates: drop` leaves out"):
        make(pairs, columns=columns)
    dropped = make(pairs, columns=columns, duplicates="drop")
    assert ids(dropped) == ["1 + 1", "3"]
    assert dropped.report()["left_out"]["row again"] == 1
    with pytest.raises(ValueError, match="ids occur more than once"):
        make([("1 + 1", "2"), ("1 + 1", "3")], columns=columns, duplicates="drop")


def test_overlap_is_removed_from_the_named_share_on(make):
    start = " ".join(QUESTION.split()[:14])
    pairs = [(QUESTION, "7"), (f"{start} one year?", "8"), ("1 + 1", "2"), ("other", "1")]
    others = as_others(QUESTION, "1+1")
    assert ids(make(pairs, others)) == ["0", "1", "2", "3"]
    prepared = make(pairs, others, remove_overlap=["easy-set"])
    assert ids(prepared) == ["3"]
    assert prepared.describe() == "1 problems of 4 rows; 3 left out (overlap with easy-set)"
    # The second question holds 2 of the 7 runs of 13 words.
    assert ids(make(pairs, others, remove_overlap=["easy-set"], overlap_share=0.29)) == ["1", "3"]
    assert ids(make(pairs, others, remove_overlap=["easy-set"], overlap_share=0.28)) == ["3"]


def test_a_benchmark_with_options_is_kept_apart_from_plain_questions(make):
    others = as_others(f"{QUESTION}\n\nA) 6\nB) 7")
    assert ids(make([(QUESTION, "7"), ("1 + 1", "2")], others, remove_overlap=["easy-set"])) == ["1"]


def test_the_same_question_with_other_options_is_another_question(make, tmp_path):
    choice = {"verifier": "choice", "columns": {"options": "o"}, "source": str(tmp_path / "choice.jsonl")}
    rows = [{"question": "Which is even?", "answer": "A", "o": options} for options in (["2", "3"], ["4", "5"])]
    (tmp_path / "choice.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    prepared = make([], **choice)
    assert [problem.question for problem in prepared.problems] == [
        "Which is even?\n\nA) 2\nB) 3",
        "Which is even?\n\nA) 4\nB) 5",
    ]
    assert prepared.repeated == []


def test_the_draw_comes_last(make):
    pairs = [*numbered(6), ("1 + 1", "2"), ("b", "x")]
    keys = {"unusable": "drop", "duplicates": "drop", "remove_overlap": ["easy-set"], "limit": 4}
    prepared = make(pairs, as_others("0 + 1"), **keys)
    assert len(prepared.problems) == 4
    assert prepared.report()["left_out"] == {
        "filter": 0,
        "no answer": 0,
        "row again": 0,
        "ungradable answer": 1,
        "same question, different answers": 0,
        "repeated": 1,
        "overlap with easy-set": 1,
        "limit": 1,
    }


def test_a_set_of_which_nothing_is_left_is_refused_with_the_reasons(make):
    message = (
        r"^problem set 'set' is empty: 0 problems of 3 rows; 2 left out \(filter\); 1 left out \(ungradable answer\)$"
    )
    with pytest.raises(ValueError, match=message):
        make([("a", "1"), ("b", "2"), ("c", "x")], filter={"n": [2]}, unusable="drop")


def test_only_the_first_of_many_are_named_in_the_report(make):
    report = make(numbered(60), filter={"n": {"max": 9}}).report()
    assert (report["left_out"]["filter"], len(report["examples"]["filter"])) == (50, 20)


def test_a_built_in_task_makes_as_many_problems_as_are_asked_for(make):
    prepared = make([], source="builtin:arithmetic", limit=3, options={"terms_max": 3})
    assert ids(prepared) == ["train-0", "train-1", "train-2"]
    assert {problem.level for problem in prepared.problems} == {"3"}


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (r"<think>\boxed{1}</think> So \boxed{2}.", "2"),
        (r"So \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"<think>\boxed{1}</think> So 1.", None),
        (r"<think>\boxed{1}", None),
        (r"Either \boxed{1} or \boxed{2}.", None),
        ("", None),
    ],
)
def test_the_boxed_answer_of_a_solution(solution, answer):
    assert boxed_answer(solution) == answer


def test_answers_are_taken_from_boxes_by_key(make):
    pairs = [("a", r"It is \boxed{3}."), ("b", "It is 4.")]
    with pytest.raises(
        ValueError, match=r"no answer in row 1 .*looked through for one boxed answer after the thinking"
    ):
        make(pairs, answer_from="boxed")
    prepared = make(pairs, answer_from="boxed", unusable="drop")
    assert [problem.answer for problem in prepared.problems] == ["3"]
