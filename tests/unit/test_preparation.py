"""What a sweep starts from: problems drawn from their source and put as messages, and base models."""

import json
import sys
from types import SimpleNamespace

import pytest

from opsft.problems import Problem
from opsft_flow.policy import WANTED
from opsft_flow.preparation import as_row, draw, find_checkpoint, read_problems

BLOCK = {
    "name": None,
    "revision": None,
    "split": "train",
    "columns": {"question": "question", "answer": "answer", "id": None, "level": None},
    "answer_pattern": None,
    "options": {},
    "limit": None,
    "seed": 0,
}


def test_a_part_is_drawn_in_the_original_order():
    problems = [Problem(str(i), "q", "1", None) for i in range(20)]
    part = draw(problems, 5, 0)
    assert len(part) == 5
    assert part == sorted(part, key=problems.index)
    assert draw(problems, 5, 0) == part != draw(problems, 5, 1)
    assert draw(problems, None, 0) == draw(problems, 20, 0) == draw(problems, 21, 0) == problems


def test_a_local_file_is_read_and_drawn_from(tmp_path):
    rows = [{"question": f"{i} + 1", "answer": i + 1} for i in range(9)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    block = {**BLOCK, "source": str(tmp_path)}
    every = read_problems(block)
    assert every == [Problem(str(i), f"{i} + 1", str(i + 1), None) for i in range(9)]
    assert read_problems({**block, "limit": 4, "seed": 2}) == draw(every, 4, 2)


def test_a_built_in_task_makes_as_many_problems_as_are_asked_for():
    problems = read_problems({**BLOCK, "source": "builtin:arithmetic", "limit": 3, "options": {"terms_max": 3}})
    assert [problem.id for problem in problems] == ["train-0", "train-1", "train-2"]
    assert {problem.level for problem in problems} == {"3"}


def test_a_row_holds_the_user_message_and_the_system_message():
    block = {"template": "{question} \\boxed{} {question}", "system": None, "source": "s"}
    row = as_row(Problem("a", "1 {x} 2", "3", "4"), block)
    assert row["prompt"] == [{"role": "user", "content": "1 {x} 2 \\boxed{} 1 {x} 2"}]
    assert (row["problem_id"], row["answer"], row["source"], row["level"]) == ("a", "3", "s", "4")
    with_system = as_row(Problem("a", "q", "3", None), {**block, "system": "Add."})
    assert with_system["prompt"][0] == {"role": "system", "content": "Add."}
    assert [message["role"] for message in with_system["prompt"]] == ["system", "user"]


def put_hub(monkeypatch, snapshot_download) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))


def test_a_local_checkpoint_is_its_folder_and_the_hub_is_not_asked(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert find_checkpoint(str(tmp_path), "v1") == tmp_path


def test_a_hub_model_is_asked_for_by_its_revision_and_without_other_formats(tmp_path, monkeypatch):
    asked = []

    def snapshot_download(source, revision, allow_patterns):
        asked.append((source, revision, allow_patterns))
        return str(tmp_path)

    put_hub(monkeypatch, snapshot_download)
    assert find_checkpoint("owner/model", "v1") == tmp_path
    assert asked == [("owner/model", "v1", WANTED)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionError("\nno route\nto host\n"), "ConnectionError: no route"),
        (TimeoutError(), "TimeoutError: "),
    ],
)
def test_a_model_that_is_neither_here_nor_on_the_hub_is_named_with_the_reason(monkeypatch, error, reason):
    def snapshot_download(source, revision, allow_patterns):
        raise error

    put_hub(monkeypatch, snapshot_download)
    with pytest.raises(ValueError, match="model 'owner/none'") as raised:
        find_checkpoint("owner/none", None)
    expected = f"model 'owner/none' is no local folder here, and cannot be had from the Hub: {reason}"
    assert str(raised.value) == expected
