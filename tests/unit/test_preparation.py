"""What a sweep starts from: problems put as messages, and base models."""

import sys
from types import SimpleNamespace

import pytest

from opsft.problems import Problem
from opsft_flow.preparation import as_row, find_checkpoint
from opsft_flow.weights.policy import WANTED


def test_a_row_holds_the_user_message_and_the_system_message():
    block = {"template": "{question} \\boxed{} {question}", "system": None, "source": "s"}
    row = as_row(Problem("a", "1 {x} 2", "3", "4"), block)
    assert row["prompt"] == [{"role": "user", "content": "1 {x} 2 \\boxed{} 1 {x} 2"}]
    assert row["question"] == "1 {x} 2"
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
