"""Two copies of a node at once: the second waits, and takes what the first has made where it was the same work."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opsft_flow.machine.file_lock import read_holder
from opsft_flow.machine.only_copy import lock_file
from tests.unit.processes import ROOT, wait_until

SCRIPT = """
import os, sys, time
from opsft_flow.node import node
with node("", inputs=("table", "shard"), outputs=("result", "other"), may_take=os.environ.get("MAY_TAKE") != "0") as job:
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(f"{os.getpid()}\\n")
    child = os.fork()
    if child == 0:
        time.sleep(30)
    while not os.path.exists(os.environ["GO"]):
        time.sleep(0.01)
    os.kill(child, 9)
    for path in (job.result, job.other):
        with open(path, "w") as file:
            file.write(f"{job.settings} {job.shard}")
"""


class Folder:
    """A folder in which copies of a node run until `go` is called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen] = []
        (folder / "table").write_text("rows")
        (folder / "script.py").write_text(SCRIPT)

    def start(self, settings: dict | None = None, shard: str = "1-of-2", **environment: str) -> subprocess.Popen:
        names = {"result": f"{shard}.parquet", "other": f"{shard}.other", "run": f"{shard}.run.json"}
        options = {"settings": json.dumps(settings or {"a": 1}), "table": "table", "shard": shard, **names}
        command = [
            sys.executable,
            "script.py",
            *(part for name, value in options.items() for part in (f"--{name}", value)),
        ]
        known = {"NOTES": "notes", "GO": "go", "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **known, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def workers(self) -> list[int]:
        """The processes that have done the work, or begun to."""
        notes = self.folder / "notes"
        return [int(line) for line in notes.read_text().splitlines()] if notes.exists() else []

    def wait_for_workers(self, count: int) -> None:
        wait_until(lambda: len(self.workers()) == count)

    def go(self) -> None:
        (self.folder / "go").touch()

    def result(self, shard: str = "1-of-2") -> str:
        return (self.folder / f"{shard}.parquet").read_text()


@pytest.fixture
def folder(tmp_path):
    folder = Folder(tmp_path)
    yield folder
    for process in folder.processes:
        process.stdout.close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def start_second(folder: Folder, *arguments, **options) -> tuple[subprocess.Popen, str]:
    """A copy that is started while the first one works, and the first line of its log."""
    first = folder.start(**({"MAY_TAKE": options["MAY_TAKE"]} if "MAY_TAKE" in options else {}))
    folder.wait_for_workers(1)
    second = folder.start(*arguments, **options)
    line = second.stdout.readline()
    assert f"process {first.pid} on {os.uname().nodename}" in line
    return second, line


def test_a_second_copy_waits_and_takes_the_result_of_the_first(folder):
    second, line = start_second(folder)
    assert line.startswith("another copy of this node is running; this one waits for it")
    assert f"`kill {folder.processes[0].pid}` there ends it" in line
    folder.go()
    assert second.communicate()[0] == "another copy of this node has done the same work: its result is taken\n"
    assert second.returncode == 0
    assert folder.workers() == [folder.processes[0].pid]
    assert sorted(path.name for path in folder.folder.glob("*1-of-2*")) == [
        "1-of-2.other",
        "1-of-2.parquet",
        "1-of-2.run.json",
    ]
    assert not lock_file(folder.folder / "1-of-2.parquet").exists()


def test_a_second_copy_does_the_work_where_the_first_is_killed_though_its_child_lives(folder):
    second, _ = start_second(folder)
    folder.processes[0].kill()
    folder.wait_for_workers(2)
    assert read_holder(lock_file(folder.folder / "1-of-2.parquet")).process == second.pid
    os.killpg(folder.processes[0].pid, signal.SIGKILL)
    folder.go()
    assert second.wait() == 0
    assert folder.result() == "{'a': 1} 1-of-2"


@pytest.mark.parametrize("change", ["settings", "input", "may not take"])
def test_a_second_copy_with_other_work_waits_and_does_it_itself(folder, change):
    environment = {"MAY_TAKE": "0"} if change == "may not take" else {}
    second, _ = start_second(folder, {"a": 2} if change == "settings" else {"a": 1}, **environment)
    if change == "input":
        (folder.folder / "table").write_text("other rows")
    folder.go()
    assert second.wait() == 0
    assert folder.workers() == [process.pid for process in folder.processes]
    assert folder.result() == ("{'a': 2} 1-of-2" if change == "settings" else "{'a': 1} 1-of-2")


def test_shards_of_a_place_run_side_by_side(folder):
    folder.start(shard="1-of-2")
    folder.start(shard="2-of-2")
    folder.wait_for_workers(2)
    folder.go()
    assert [process.wait() for process in folder.processes] == [0, 0]


def test_a_result_that_lacks_a_file_is_not_taken(folder):
    folder.go()
    assert folder.start().wait() == 0
    (folder.folder / "1-of-2.other").unlink()
    assert folder.start().wait() == 0
    assert len(folder.workers()) == 2
    assert folder.start().wait() == 0
    assert len(folder.workers()) == 2
