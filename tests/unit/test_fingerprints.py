"""The hash of what a sweep starts from: every byte counts, and large files are read once."""

import os

import pytest

from opsft_flow.configuration import fingerprints as subject
from opsft_flow.configuration.fingerprints import fingerprint
from tests.unit.damages import damage, flip, truncate


@pytest.fixture(autouse=True)
def large_files(tmp_path, monkeypatch):
    """Files of 100 bytes are large, and the list has what was hashed in this call of the program."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subject, "LARGE", 100)
    hashed, original = [], subject.blake3_of

    def note(file):
        hashed.append(os.path.basename(file))
        return original(file)

    monkeypatch.setattr(subject, "blake3_of", note)
    subject.hash_in_state.cache_clear()
    return hashed


def next_call(hashed: list) -> None:
    hashed.clear()
    subject.hash_in_state.cache_clear()


@pytest.mark.parametrize("size", [1 << 10, 1 << 20])
def test_every_byte_of_a_file_counts_though_its_times_stay(tmp_path, size):
    file = tmp_path / "data.jsonl"
    file.write_bytes(bytes(size))
    first = fingerprint(file)
    damage(file, flip)
    assert fingerprint(file) != first
    damage(file, flip)
    assert fingerprint(file) == first
    damage(file, truncate)
    assert fingerprint(file) != first


def test_a_checkpoint_is_told_by_the_names_and_contents_of_what_is_loaded_from_it(tmp_path):
    for folder, names in (
        ("a", ("x.json", "y.json")),
        ("b", ("x.json", "y.json", "README.md")),
        ("c", ("x.json", "z.json")),
    ):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_text(name[0] if name != "z.json" else "y")
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b") != fingerprint(tmp_path / "c")


def test_a_large_file_is_read_once_and_a_small_one_in_each_call(tmp_path, large_files, monkeypatch):
    monkeypatch.setattr(subject, "FRESH_NS", 0)
    (tmp_path / "large").write_bytes(bytes(100))
    (tmp_path / "small").write_bytes(bytes(99))
    found = [fingerprint(tmp_path / name) for name in ("large", "small", "large", "small")]
    assert (found[:2], large_files) == (found[2:], ["large", "small"])
    next_call(large_files)
    assert [fingerprint(tmp_path / name) for name in ("large", "small")] == found[:2]
    assert large_files == ["small"]
    next_call(large_files)
    (tmp_path / "large").write_bytes(bytes(101))
    assert fingerprint(tmp_path / "large") != found[0]
    assert large_files == ["large"]


@pytest.mark.parametrize("trouble", ["damaged", "not writable"])
def test_without_its_memory_it_finds_the_same(tmp_path, large_files, trouble, monkeypatch):
    monkeypatch.setattr(subject, "FRESH_NS", 0)
    (tmp_path / "large").write_bytes(bytes(100))
    found = fingerprint(tmp_path / "large")
    damage(subject.MEMORY, flip)
    next_call(large_files)
    if trouble == "not writable":
        subject.MEMORY.unlink()
        subject.MEMORY.parent.rmdir()
        subject.MEMORY.parent.write_text("a file, in which nothing can be written")
    assert fingerprint(tmp_path / "large") == found
    assert large_files == ["large"]
