"""What a code hash was made of, on record for later runs."""

import pytest

from opsft_flow import files
from opsft_flow.files import read_json, write_json
from opsft_flow.graph import code_record
from opsft_flow.graph.code_record import code_change, record_code

NOW = {"opsft/sft.py": "1", "opsft/verify/__init__.py": "2", "workflow/scripts/sft.py": "3"}


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A folder in which an earlier run has recorded `old`; the hash of now is `new`."""
    monkeypatch.setattr(code_record, "HASHED", {"new": NOW})
    write_json(tmp_path / "old.json", {**NOW, "opsft/sft.py": "0", "opsft/verify/__init__.py": "0"})
    write_json(tmp_path / "more.json", {**NOW, "opsft/lora.py": "4"})
    return str(tmp_path)


def test_changed_modules_are_named(recorded):
    assert code_change(recorded, "old", "new") == "code: opsft.sft, opsft.verify changed"


def test_modules_that_came_or_went_are_named(recorded):
    assert code_change(recorded, "more", "new") == "code: opsft.lora no longer used"
    assert code_change(recorded, "new", "more") == "code: opsft.lora now used"


def test_a_function_of_the_users_own_is_told_apart(recorded):
    assert code_change(recorded, "new-1", "new-2") == "code: a function of your own changed"
    assert code_change(recorded, "old-1", "new-2").endswith("opsft.verify changed, a function of your own changed")


def test_a_hash_that_is_not_on_record_has_only_changed(recorded):
    assert code_change(recorded, "older", "new") == "code changed"


def test_the_hashes_of_this_process_are_put_on_record_once(recorded, tmp_path, monkeypatch):
    record_code(recorded)
    written = tmp_path / "new.json"
    before = written.stat().st_mtime_ns
    record_code(recorded)
    assert written.stat().st_mtime_ns == before
    monkeypatch.setattr(code_record, "HASHED", {})
    assert code_change(recorded, "old", "new") == "code: opsft.sft, opsft.verify changed"


def test_two_runs_that_are_started_together_write_the_same_record(recorded, tmp_path, monkeypatch):
    sync = files.sync

    def start_another(path) -> None:
        monkeypatch.setattr(files, "sync", sync)
        record_code(recorded)
        sync(path)

    monkeypatch.setattr(files, "sync", start_another)
    record_code(recorded)
    assert read_json(tmp_path / "new.json") == NOW
    assert sorted(path.name for path in tmp_path.iterdir()) == ["more.json", "new.json", "old.json"]
