"""The tables that nodes hand to each other."""

import pyarrow as pa
import pytest

from opsft_flow.tables import PROBLEM, ROLLOUT, SELECTED, VERDICT, align, read_table, write_table

ROWS = {
    "problem": (
        PROBLEM,
        {
            "problem_id": "a",
            "question": "1 + 1",
            "prompt": [{"role": "user", "content": "1 + 1"}],
            "answer": "2",
            "source": "s",
            "level": None,
        },
    ),
    "rollout": (
        ROLLOUT,
        {
            "problem_id": "a",
            "sample": 0,
            "seed": 2**62,
            "prompt_ids": [1, 2],
            "response_ids": [],
            "text": "é",
            "tokens": 0,
            "finish_reason": "stop",
            "logprob": -0.1,
            "opens_thinking": False,
        },
    ),
    "verdict": (
        VERDICT,
        {
            "problem_id": "a",
            "sample": 0,
            "correct": True,
            "matched": True,
            "answer": None,
            "vote": None,
            "reason": "correct",
        },
    ),
    "selected": (SELECTED, {"problem_id": "a", "sample": 0, "weight": 0.1}),
}


@pytest.mark.parametrize("kind", ROWS)
def test_rows_are_read_back_as_written(tmp_path, kind):
    schema, row = ROWS[kind]
    for rows in ([row, row], []):
        write_table(tmp_path / "table", rows, schema)
        assert read_table(tmp_path / "table", schema) == rows


def test_a_rollout_may_have_no_logprob(tmp_path):
    schema, row = ROWS["rollout"]
    write_table(tmp_path / "table", [{**row, "logprob": None}], schema)
    assert read_table(tmp_path / "table", schema) == [{**row, "logprob": None}]


def test_equal_rows_give_equal_bytes(tmp_path):
    schema, row = ROWS["rollout"]
    write_table(tmp_path / "a", [row], schema)
    write_table(tmp_path / "b", [dict(reversed(row.items()))], schema)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_value_of_another_type_is_refused_and_leaves_the_old_table(tmp_path):
    schema, row = ROWS["selected"]
    write_table(tmp_path / "table", [row], schema)
    with pytest.raises(pa.ArrowInvalid):
        write_table(tmp_path / "table", [{**row, "weight": "heavy"}], schema)
    assert read_table(tmp_path / "table", schema) == [row]


def test_some_columns_are_read_alone(tmp_path):
    schema, row = ROWS["rollout"]
    write_table(tmp_path / "table", [row], schema)
    assert read_table(tmp_path / "table", schema, ["sample", "tokens"]) == [{"sample": 0, "tokens": 0}]


@pytest.mark.parametrize("columns", [None, ["problem_id", "correct", "reason"]])
def test_missing_columns_are_named_with_what_was_found(tmp_path, columns):
    write_table(tmp_path / "table", [ROWS["selected"][1]], SELECTED)
    with pytest.raises(
        ValueError, match=r"table: columns correct, .*reason are missing; found problem_id, sample, weight"
    ):
        read_table(tmp_path / "table", VERDICT, columns)


def test_rows_are_aligned_by_problem_and_sample():
    rows = [{"problem_id": p, "sample": s, "value": f"{p}{s}"} for p in "ba" for s in (1, 0)]
    keys = [{"problem_id": "a", "sample": 0}, {"problem_id": "b", "sample": 1}, {"problem_id": "a", "sample": 1}]
    assert [row["value"] for row in align(rows, keys, "table")] == ["a0", "b1", "a1"]


def test_a_missing_row_is_named():
    keys = [{"problem_id": "a", "sample": s} for s in (0, 1, 2)]
    with pytest.raises(ValueError, match="table: 2 of 3 rows are missing, the first of them problem a, sample 1"):
        align(keys[:1], keys, "table")
