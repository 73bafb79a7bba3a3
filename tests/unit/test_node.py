"""The frame of a node: arguments, sidecar, and how it ends."""

import errno
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from opsft_flow.machine.runtime import HEAD, process_start
from opsft_flow.node import node, timestamp, version_of

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM")


@pytest.fixture(autouse=True)
def keep_environment(monkeypatch):
    """The variables that a node sets are put back afterwards."""
    for name in THREADS:
        monkeypatch.setenv(name, "before")


@pytest.fixture
def start(tmp_path, monkeypatch):
    """A function that starts a node with one input and one output; its sidecar goes to run.json."""

    def started(*extra: str):
        options = ["--settings", '{"a": 1}', "--table", "in", "--result", "out", "--run", str(tmp_path / "run.json")]
        monkeypatch.setattr("sys.argv", ["script.py", *options, *extra])
        return node("What it does.", inputs=("table",), outputs=("result",))

    return started


def test_a_node_knows_its_settings_and_its_paths(start):
    with start("--threads", "3") as job:
        assert job.settings == {"a": 1}
        assert (job.table, job.result, job.threads) == ("in", "out", 3)
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "3"
        assert os.environ["TOKENIZERS_PARALLELISM"] == "false"


def test_the_sidecar_says_what_was_run_and_where_the_time_went(start, tmp_path):
    with start() as job:
        for _ in range(2):
            with job.phase("work"):
                pass
        job.facts["tokens"] = 5
        assert not (tmp_path / "run.json").exists()
    sidecar = json.loads((tmp_path / "run.json").read_text())
    assert sidecar["settings"] == {"a": 1}
    run = sidecar["run"]
    assert run["tokens"] == 5
    assert sorted(run["phases"]) == ["imports", "process start", "work"]
    assert 0 <= run["phases"]["work"] <= run["seconds"]
    assert run["started"] <= run["ended"]
    assert {"host", "python", "packages", "peak_memory_mb"} <= run.keys()


def test_seconds_count_from_the_start_of_the_launcher(start, tmp_path):
    now = time.time()
    os.environ["OPSFT_CLOCK"] = f"{now - 5} {now - 2}"
    with start():
        pass
    run = json.loads((tmp_path / "run.json").read_text())["run"]
    assert run["phases"]["process start"] == pytest.approx(3, abs=0.01)
    assert run["phases"]["imports"] == pytest.approx(2, abs=0.5)
    assert run["seconds"] == pytest.approx(5, abs=0.5)
    assert "OPSFT_CLOCK" not in os.environ


def test_a_phase_is_counted_where_it_ends_with_an_error(start):
    with pytest.raises(SystemExit), start() as job, job.phase("work"):
        raise ValueError
    assert "work" in job.phases


@pytest.mark.parametrize("error", [ValueError("bad answer_pattern"), OSError("bad answer_pattern")])
def test_what_the_user_can_mend_is_one_message(start, tmp_path, capsys, error):
    with pytest.raises(SystemExit) as ended, start():
        raise error
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: bad answer_pattern\n"
    assert not (tmp_path / "run.json").exists()


def test_a_full_disk_is_one_message_with_the_folder_where_the_error_names_no_file(start, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended, start():
        raise RuntimeError("I/O error: No space left on device (os error 28)")
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"error: {tmp_path}: the disk is full. Make room and run again\n"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError("I/O error: File too large (os error 27)"),
            "the limit on the size of files is reached. Raise it",
        ),
        (
            OSError(errno.EFBIG, "File too large", "a.json"),
            "a.json: the limit on the size of files is reached. Raise it",
        ),
        (MemoryError(), "no memory was left (MemoryError: ). Give the node more"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried\nto"),
            "(RuntimeError: DefaultCPUAllocator: ",
        ),
    ],
)
def test_limits_of_files_and_memory_are_one_message(start, capsys, error, message):
    with pytest.raises(SystemExit) as ended, start():
        raise error
    assert ended.value.code == 1
    output = capsys.readouterr().err
    assert message in output
    assert output.count("\n") == 1


def test_a_message_that_the_log_has_no_room_for_goes_to_where_the_workflow_prints(start, tmp_path):
    script = "import sys; from opsft_flow.machine.failure import say; sys.stderr = open('/dev/full', 'w'); say('error: the disk is full')"
    head = f"{os.uname().nodename}:{os.getpid()}:{process_start(os.getpid())}"
    terminal = os.dup(2)
    with open(tmp_path / "terminal", "w") as output:
        os.dup2(output.fileno(), 2)
    subprocess.run([sys.executable, "-c", script], env=os.environ | {HEAD: head}, stderr=subprocess.DEVNULL)
    os.dup2(terminal, 2)
    os.close(terminal)
    assert (tmp_path / "terminal").read_text() == "error: the disk is full\n"


def test_a_fault_of_ours_shows_its_traceback(start, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended, start():
        raise KeyError("lost")
    assert ended.value.code == 1
    assert "Traceback" in capsys.readouterr().err
    assert not (tmp_path / "run.json").exists()


def test_a_missing_path_is_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["script.py", "--settings", "{}", "--run", "run.json"])
    with pytest.raises(SystemExit), node("", inputs=("table",), outputs=()):
        pytest.fail("the body of a node without its input was run")
    assert "the following arguments are required: --table" in capsys.readouterr().err


def test_time_stamps_are_utc():
    assert timestamp(0.0) == "1970-01-01T00:00:00+00:00"


def test_a_build_that_goes_by_another_name_gives_its_version(monkeypatch):
    monkeypatch.setitem(sys.modules, "renamed", SimpleNamespace(__version__="0.32.0"))
    assert version_of("renamed", "renamed") == "0.32.0"
    assert version_of("numpy", "numpy") == importlib.metadata.version("numpy")
