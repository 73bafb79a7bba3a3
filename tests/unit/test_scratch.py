"""The state of a running node: one holder at a time, and saved as a whole."""

import errno
import os
import shutil
import subprocess
import sys
import time

import pytest

from opsft_flow.weights.scratch import Scratch, scratch_name

HOLD = """
import sys
from pathlib import Path
from opsft_flow.weights.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path):
    """A scratch folder that another live process holds, and that process."""
    folder = tmp_path / "scratch"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        yield folder, holder
        holder.stdin.close()


def test_a_folder_that_another_process_holds_is_refused_with_its_holder(held):
    folder, holder = held
    with pytest.raises(ValueError, match=f"is held by another training: process {holder.pid} on"):
        Scratch(folder, wait_s=0)


def test_the_folder_of_a_killed_process_is_free(held):
    folder, holder = held
    holder.kill()
    holder.wait()
    Scratch(folder, wait_s=0).remove()
    assert not folder.exists()


def test_a_folder_that_its_holder_removes_while_another_waits_is_made_anew(held, monkeypatch):
    folder, holder = held

    def holder_ends(seconds: float) -> None:
        shutil.rmtree(folder)
        holder.kill()
        holder.wait()

    monkeypatch.setattr(time, "sleep", holder_ends)
    scratch = Scratch(folder, wait_s=60)
    with pytest.raises(ValueError, match=f"process {os.getpid()} on"):
        Scratch(folder, wait_s=-1)
    scratch.remove()


def test_what_was_saved_last_is_loaded_by_the_next_process(tmp_path):
    import torch

    first = Scratch(tmp_path / "scratch", wait_s=0)
    assert first.load() is None
    weights = {"w": torch.tensor([1.0, 1e-40, float("inf")])}
    first.save({"log": []}, {"w": torch.zeros(3)}, {})
    first.save({"log": [{"loss": 0.1}]}, weights, {"step": torch.tensor(2.0)})
    first.handle.close()
    second = Scratch(tmp_path / "scratch", wait_s=0)
    progress, loaded, optimizer = second.load()
    assert progress == {"log": [{"loss": 0.1}]}
    assert torch.equal(loaded["w"], weights["w"])
    assert optimizer["step"].item() == 2.0
    assert sorted(path.name for path in (tmp_path / "scratch").iterdir()) == ["lock", "state"]
    second.remove()


def test_a_kill_between_the_two_renames_of_a_save_loses_no_more_than_that_save(tmp_path):
    folder = tmp_path / "scratch"
    first = Scratch(folder, wait_s=0)
    first.save({"log": [1]}, {}, {})
    first.handle.close()
    (folder / "state").rename(folder / ".state.7.old")
    (folder / ".state.7.tmp").mkdir()
    second = Scratch(folder, wait_s=0)
    assert second.load() == ({"log": [1]}, {}, {})
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "state"]
    second.remove()


def test_a_kill_after_both_renames_leaves_the_new_state_and_the_old_one_is_dropped(tmp_path):
    folder = tmp_path / "scratch"
    first = Scratch(folder, wait_s=0)
    first.save({"log": [1]}, {}, {})
    (folder / "state").rename(folder / ".state.7.old")
    first.save({"log": [1, 2]}, {}, {})
    first.handle.close()
    second = Scratch(folder, wait_s=0)
    assert second.load() == ({"log": [1, 2]}, {}, {})
    assert not (folder / ".state.7.old").exists()
    second.remove()


def test_a_process_with_the_number_of_a_killed_one_can_save(tmp_path):
    folder = tmp_path / "scratch"
    scratch = Scratch(folder, wait_s=0)
    (folder / f".state.{os.getpid()}.tmp").mkdir()
    assert scratch.load() is None
    scratch.save({"log": [1]}, {}, {})
    assert scratch.load() == ({"log": [1]}, {}, {})
    scratch.remove()


def test_removed_scratch_leaves_nothing_to_resume(tmp_path):
    scratch = Scratch(tmp_path / "scratch", wait_s=0)
    scratch.save({}, {}, {})
    scratch.remove()
    assert not (tmp_path / "scratch").exists()
    again = Scratch(tmp_path / "scratch", wait_s=0)
    assert again.load() is None
    again.remove()


def remove_on_nfs(scratch: Scratch, monkeypatch) -> None:
    """Remove a scratch folder where, as on NFS, a folder stays as long as a file that was in it is open."""

    def remove_folder(path, *, rmdir=os.rmdir, **options):
        if not scratch.handle.closed:
            raise OSError(errno.ENOTEMPTY, "Directory not empty", path)
        rmdir(path, **options)

    monkeypatch.setattr(os, "rmdir", remove_folder)
    scratch.remove()


def test_a_folder_on_nfs_is_removed_by_who_holds_its_lock(tmp_path, monkeypatch):
    remove_on_nfs(Scratch(tmp_path / "scratch", wait_s=0), monkeypatch)
    assert not (tmp_path / "scratch").exists()


def test_a_folder_that_cannot_be_removed_fails_no_training(tmp_path, monkeypatch):
    scratch = Scratch(tmp_path / "scratch", wait_s=0)
    scratch.save({}, {}, {})

    def refuse(path, **options):
        raise PermissionError(errno.EPERM, "Operation not permitted", path)

    monkeypatch.setattr(os, "rmdir", refuse)
    scratch.remove()
    assert Scratch(tmp_path / "scratch", wait_s=0).load() is None


def test_a_name_depends_on_every_part_and_where_it_ends():
    names = {scratch_name(*parts) for parts in (("a", "b"), ("ab",), ("ab", ""), ("a", "c"), ("b", "a"))}
    assert len(names) == 5
    assert scratch_name("a", "b") in names
