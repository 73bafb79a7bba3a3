"""Atomic writes: a reader sees the old file or the whole new one."""

import errno
import os
import shutil
from types import SimpleNamespace

import pytest

from opsft_flow.files import DiskFull, atomic, check_room, read_json, write_json


def write_half(path) -> None:
    with atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")


def fail(path, error: Exception) -> None:
    with atomic(path) as temporary:
        temporary.write_text("abc")
        raise error


def write_folder(path, **files: str) -> None:
    with atomic(path) as temporary:
        temporary.mkdir()
        for name, text in files.items():
            (temporary / name).write_text(text)


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="killed"):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_makes_no_new_file(tmp_path):
    with pytest.raises(RuntimeError, match="killed"):
        write_half(tmp_path / "folder" / "file")
    assert list((tmp_path / "folder").iterdir()) == []


def test_the_file_is_not_there_before_the_end(tmp_path):
    path = tmp_path / "deep" / "er" / "file"
    with atomic(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_takes_the_place_of_the_old_one_as_a_whole(tmp_path):
    write_folder(tmp_path / "folder", a="1", b="2")
    write_folder(tmp_path / "folder", b="3")
    assert {file.name: file.read_text() for file in (tmp_path / "folder").iterdir()} == {"b": "3"}
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_an_error_leaves_the_old_folder(tmp_path):
    write_folder(tmp_path / "folder", a="1")
    with pytest.raises(TypeError):
        write_folder(tmp_path / "folder", a="2", b=None)
    assert (tmp_path / "folder" / "a").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_is_whole_or_absent_at_every_rename(tmp_path, monkeypatch):
    write_folder(tmp_path / "folder", a="1", b="1")
    seen = []

    def look_and_rename(source, target, rename=os.replace):
        rename(source, target)
        folder = tmp_path / "folder"
        seen.append(sorted(file.read_text() for file in folder.iterdir()) if folder.exists() else None)

    monkeypatch.setattr(os, "replace", look_and_rename)
    write_folder(tmp_path / "folder", a="2", b="2")
    assert seen == [None, ["2", "2"]]


@pytest.mark.parametrize("stop", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
def test_an_end_between_the_two_renames_leaves_the_old_folder(tmp_path, monkeypatch, stop):
    write_folder(tmp_path / "folder", a="1")

    def fail_to_place(source, target, rename=os.replace):
        if source.suffix == ".tmp":
            raise stop
        rename(source, target)

    monkeypatch.setattr(os, "replace", fail_to_place)
    with pytest.raises(type(stop)):
        write_folder(tmp_path / "folder", a="2")
    assert (tmp_path / "folder" / "a").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_and_all_in_it_are_on_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    synced, needed = set(), set()

    def note(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)

    def look_and_rename(source, target, rename=os.replace):
        needed.update(path.stat().st_ino for path in (source, *source.rglob("*")))
        assert needed <= synced
        rename(source, target)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "replace", look_and_rename)
    with atomic(tmp_path / "folder") as temporary:
        (temporary / "below").mkdir(parents=True)
        (temporary / "below" / "file").write_text("1")
    assert len(needed) == 3


def test_equal_values_give_equal_bytes(tmp_path):
    write_json(tmp_path / "a", {"x": 1, "y": [None, "é"]})
    write_json(tmp_path / "b", {"y": [None, "é"], "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_json(tmp_path / "a") == {"x": 1, "y": [None, "é"]}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_are_refused_and_write_nothing(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a", {"x": value})
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_has_left_is_removed_by_the_next_one_of_the_same_file(tmp_path):
    for name in (".policy.41.tmp", ".policy.41.old", ".policy.json.41.tmp", ".other.41.tmp"):
        (tmp_path / name).write_text("half")
    write_folder(tmp_path / "policy", a="1")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.41.tmp", ".policy.json.41.tmp", "policy"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_one_error_that_names_the_file_whatever_the_library_raised(tmp_path, error):
    with pytest.raises(DiskFull, match=r"/policy: the disk is full after 3 bytes of it, .* bytes are free"):
        fail(tmp_path / "policy", error)
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_refused_with_both_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1999))
    with pytest.raises(DiskFull, match=r"training needs 2,000 bytes, 1,999 are free"):
        check_room(tmp_path, 2000, "training")
    check_room(tmp_path, 1999, "training")
