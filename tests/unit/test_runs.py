"""Which calls make results in a folder: those that live, and no others."""

import os
import platform
import subprocess
import sys

import pytest

from opsft_flow.machine.runs import FOLDER, announce_run, living_runs

RUN = "import sys; from opsft_flow.machine.runs import announce_run; announce_run(sys.argv[1]); print('on', flush=True); sys.stdin.read()"


@pytest.fixture
def run(tmp_path):
    """Another process that makes results here."""
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"on\n"
        yield process
        process.kill()


def test_a_run_is_told_as_long_as_it_lives_and_leaves_nothing_when_it_ends(tmp_path, run):
    (found,) = living_runs(str(tmp_path))
    assert found.startswith(f"process {run.pid} on {platform.node()}")
    run.communicate()
    assert list((tmp_path / FOLDER).iterdir()) == []
    assert living_runs(str(tmp_path)) == []


def test_a_run_that_was_killed_is_not_told_and_what_it_left_is_removed(tmp_path, run):
    run.kill()
    run.wait()
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    assert living_runs(str(tmp_path)) == []
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_the_next_run_removes_what_a_killed_one_has_left_and_leaves_the_others(tmp_path, run):
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = [f"{platform.node()}-{ended.pid}", f"{platform.node()}-{run.pid}", f"{platform.node()}-x", "other-machine-1"]
    for name in left[2:]:
        (tmp_path / FOLDER / name).touch()
    (tmp_path / FOLDER / left[0]).touch()
    announce_run(str(tmp_path))
    found = sorted(path.name for path in (tmp_path / FOLDER).iterdir())
    assert found == sorted([*left[1:], f"{platform.node()}-{os.getpid()}"])
    assert len(living_runs(str(tmp_path))) == 2


def test_a_run_that_cannot_be_written_down_goes_on(tmp_path):
    (tmp_path / FOLDER).touch()
    announce_run(str(tmp_path))
    assert living_runs(str(tmp_path)) == []


def test_where_nothing_was_ever_run_nothing_is_told(tmp_path):
    assert living_runs(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
