"""Snakemake's locks: those of a workflow that was killed are removed, and no others."""

import json
import os
import platform
import signal
import subprocess
import sys

import pytest

from opsft_flow.machine.stale_locks import FOLDER, remove_stale_locks

HOLD = "import sys; from opsft_flow.machine.stale_locks import record_locks; record_locks(sys.argv[1:]); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def locks(tmp_path, monkeypatch):
    """The folder of Snakemake's locks, with one that nobody has recorded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    FOLDER.mkdir(parents=True)
    (FOLDER / "7.output.lock").touch()
    return FOLDER


def hold(*names: str) -> subprocess.Popen:
    """A process that holds locks with these names."""
    for name in names:
        (FOLDER / name).touch()
    holder = subprocess.Popen([sys.executable, "-c", HOLD, *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    return holder


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.glob("*.lock"))


def test_the_locks_of_a_killed_process_are_removed_and_those_of_a_living_one_stay(locks):
    with hold("0.input.lock", "0.output.lock") as dead, hold("1.output.lock") as alive:
        remove_stale_locks()
        assert names(locks) == ["0.input.lock", "0.output.lock", "1.output.lock", "7.output.lock"]
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        remove_stale_locks()
        assert names(locks) == ["1.output.lock", "7.output.lock"]
        alive.kill()
    remove_stale_locks()
    assert names(locks) == ["7.output.lock"]
    assert list(locks.glob("*.holder")) == []


def test_the_locks_of_another_machine_stay(locks):
    (locks / "x.holder").write_text(json.dumps({"host": f"not-{platform.node()}", "locks": ["7.output.lock"]}))
    remove_stale_locks()
    assert names(locks) == ["7.output.lock"]


def test_a_record_that_was_cut_off_removes_nothing(locks):
    (locks / "x.holder").write_text('{"host": ')
    remove_stale_locks()
    assert names(locks) == ["7.output.lock"]


def test_where_nothing_was_ever_locked_there_is_nothing_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    remove_stale_locks()
    assert list(tmp_path.iterdir()) == []
