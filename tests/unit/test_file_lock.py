"""A lock file: one holder, freed with it, and what is told of it."""

import errno
import fcntl
import os
import subprocess
import sys
import time

import pytest

from opsft_flow.machine.file_lock import Holder, read_holder, try_lock, unlock, write_holder

HOLD = """
import sys
from pathlib import Path
from opsft_flow.machine.file_lock import try_lock, write_holder
handle = try_lock(Path(sys.argv[1]))
write_holder(handle)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path):
    """A lock file that another live process holds, and that process."""
    path = tmp_path / "folder" / ".result.lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    environment = {**os.environ, "SLURM_JOB_ID": "4711"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout.readline() == "held\n"
        yield path, holder
        holder.stdin.close()


def test_a_lock_that_another_process_holds_is_not_had_and_names_that_process(held):
    path, process = held
    assert try_lock(path) is None
    holder = read_holder(path)
    assert (holder.host, holder.process, holder.job) == (os.uname().nodename, process.pid, "4711")
    assert abs(holder.since - time.time()) < 60


def test_the_lock_of_a_killed_process_is_free(held):
    path, process = held
    process.kill()
    process.wait()
    lock = try_lock(path)
    assert lock is not None
    unlock(lock)
    assert not path.exists()


def test_a_lock_that_was_removed_between_opening_and_locking_does_not_count(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", lambda handle, operation: path.unlink())
        assert try_lock(path) is None
    unlock(try_lock(path))


def test_a_forked_process_does_not_hold_the_lock_of_its_parent(tmp_path):
    path, (until, end), (begun, begin) = tmp_path / "lock", os.pipe(), os.pipe()
    lock = try_lock(path)
    child = os.fork()
    if child == 0:
        os.close(end)
        os.write(begin, b"!")
        os.read(until, 1)
        os._exit(0)
    os.read(begun, 1)
    assert try_lock(path) is None
    lock.close()
    again = try_lock(path)
    os.close(end)
    os.waitpid(child, 0)
    assert again is not None
    unlock(again)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_a_file_system_has_no_locks_work_goes_on_with_a_warning(tmp_path, monkeypatch, capsys, number):
    def refuse(handle, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    unlock(try_lock(tmp_path / "lock"))
    assert f"lock cannot be locked ({os.strerror(number)}): a second copy" in capsys.readouterr().out


def test_a_holder_is_described_with_the_command_that_ends_it():
    holder = Holder("node7", 1234, None, None, 0.0)
    assert holder.describe() == "process 1234 on node7, since 1970-01-01 00:00:00 UTC (`kill 1234` there ends it)"
    job = holder._replace(job="77")
    assert job.describe() == "process 1234 on node7, SLURM job 77, since 1970-01-01 00:00:00 UTC (`scancel 77` ends it)"


def test_a_holder_that_has_not_written_its_name_is_none(tmp_path):
    lock = try_lock(tmp_path / "lock")
    assert read_holder(tmp_path / "lock") is None
    write_holder(lock)
    assert read_holder(tmp_path / "lock").process == os.getpid()
    unlock(lock)
    assert read_holder(tmp_path / "lock") is None


def test_the_name_of_the_last_holder_is_written_over(tmp_path):
    path = tmp_path / "lock"
    path.write_text("x" * 1000)
    lock = try_lock(path)
    assert read_holder(path) is None
    write_holder(lock)
    assert read_holder(path).process == os.getpid()
    unlock(lock)
