"""Nodes forked from a process that has imported everything: what a script sees, and what happens when somebody is killed."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opsft_flow.graph.plan import Plan
from opsft_flow.machine.launch import FORK
from opsft_flow.machine.runtime import HEAD
from tests.unit.example_config import change, example_config
from tests.unit.processes import FakeHead, find_process, is_running, wait_until

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="nodes are forked on Linux alone")

RULES = Path(__file__).resolve().parents[2] / "workflow" / "rules"
MOST_BYTES_OF_AN_ARGUMENT = 128 << 10

TELL = """
import json, os, sys
print(json.dumps({"argv": sys.argv, "cwd": os.getcwd(), "name": __name__, "file": __file__, "here": sys.path[0],
                  "colour": os.environ.get("COLOUR"), "clock": "OPSFT_CLOCK" in os.environ,
                  "torch": "torch" in sys.modules, "own": [m for m in sys.modules if m.startswith("opsft")],
                  "parent": os.getppid()}))
print("aside", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


class Workflow(FakeHead):
    """A workflow that starts nodes by the launcher."""

    def start(self, script: Path, *arguments: str, **changes) -> subprocess.Popen:
        command = [sys.executable, "-P", "-m", "opsft_flow.machine.launch", str(script), *arguments]
        options = {"env": self.environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, **(options | changes))

    def run(self, script: Path, *arguments: str, **changes) -> tuple[int, str, str]:
        process = self.start(script, *arguments, **changes)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def server(self) -> int:
        """The process id of the fork server."""
        return find_process(f"opsft_flow.machine.forkserver {self.folder}")


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    workflow = Workflow(tmp_path_factory.mktemp("run"))
    yield workflow
    workflow.end()
    wait_until(lambda: not list(workflow.folder.glob("head-*")))


@pytest.fixture
def doomed(tmp_path_factory):
    """A workflow for a test that kills its server or its head."""
    workflow = Workflow(tmp_path_factory.mktemp("run"))
    yield workflow
    workflow.end()


@pytest.fixture
def script(tmp_path) -> Path:
    (tmp_path / "tell.py").write_text(TELL)
    return tmp_path / "tell.py"


def test_a_script_sees_what_it_would_see_in_a_process_of_its_own(workflow, script, tmp_path):
    here = tmp_path / "elsewhere"
    here.mkdir()
    status, out, err = workflow.run(script, "3", "two words", cwd=here, env=workflow.environment | {"COLOUR": "green"})
    seen = json.loads(out)
    assert (status, err) == (3, "aside\n")
    assert seen["argv"] == [str(script), "3", "two words"]
    assert (seen["cwd"], seen["here"]) == (str(here), str(script.parent))
    assert (seen["name"], seen["file"]) == ("__main__", str(script))
    assert (seen["colour"], seen["clock"]) == ("green", True)


@pytest.mark.parametrize("forks", ["1", "0"])
def test_settings_of_a_large_sweep_reach_their_node(workflow, script, tmp_path, forks):
    """From the kind of shell script that Snakemake makes of a long command, which has no room for them in one argument."""
    config = change(example_config(), "sweep.0.seeds", list(range(500)))
    settings = Plan(config).summary_settings()
    assert len(settings) > MOST_BYTES_OF_AN_ARGUMENT
    launch = f"{sys.executable} -P -m opsft_flow.machine.launch {script} 0"
    (tmp_path / "script.sh").write_text(f"{launch} --settings - --run run.json <<< {shlex.quote(settings)}")
    environment = workflow.environment | {FORK: forks}
    done = subprocess.run(["bash", tmp_path / "script.sh"], env=environment, stdout=subprocess.PIPE, text=True)
    *_, name, given, run, file = json.loads(done.stdout)["argv"]
    assert (name, given.rstrip("\n"), run, file) == ("--settings", settings, "--run", "run.json")


def test_rules_of_the_whole_sweep_give_their_settings_by_standard_input():
    rules = [rule for file in RULES.glob("*.smk") for rule in re.split(r"(?m)^rule ", file.read_text())[1:]]
    of_sweep = [rule for rule in rules if re.search(r" settings=lambda wildcards: (PLAN\.\w+\(\)|canonical)", rule)]
    assert len(of_sweep) == 10
    assert all("--settings - " in rule.replace('"', " ") and "<<< {params.settings:q}" in rule for rule in of_sweep)


def test_a_script_is_forked_from_the_server_with_torch_and_without_code_of_the_project(workflow, script):
    _, out, _ = workflow.run(script, "0")
    seen = json.loads(out)
    assert seen["parent"] == workflow.server()
    assert seen["torch"]
    assert seen["own"] == []


def test_without_a_workflow_a_script_runs_in_the_process_that_was_started(workflow, script):
    environment = {key: value for key, value in workflow.environment.items() if key != HEAD}
    status, out, err = workflow.run(script, "3", env=environment)
    assert (status, err) == (3, "aside\n")
    assert not json.loads(out)["torch"]
    assert json.loads(out)["parent"] == os.getpid()


def test_large_tensors_get_huge_pages_in_forked_nodes_and_others_and_a_choice_of_ones_own_stays(workflow, tmp_path):
    tell = tmp_path / "tell.py"
    # A forked process has PyTorch's choice from its server, which has started with the environment that /proc shows.
    tell.write_text(
        "import os; print(os.environ['THP_MEM_ALLOC_ENABLE'], open(f'/proc/{os.getppid()}/environ').read())"
    )
    _, forked, _ = workflow.run(tell)
    assert forked.startswith("1 ")
    assert "THP_MEM_ALLOC_ENABLE=1" in forked.split(r"\x00")
    alone = {name: value for name, value in workflow.environment.items() if name != HEAD}
    assert workflow.run(tell, env=alone)[1].startswith("1 ")
    assert workflow.run(tell, env=alone | {"THP_MEM_ALLOC_ENABLE": "0"})[1].startswith("0 ")


def test_a_workflow_on_another_machine_or_with_a_reused_process_id_is_none(workflow, script):
    host, pid, started = workflow.environment[HEAD].rsplit(":", 2)
    for head in (f"elsewhere:{pid}:{started}", f"{host}:{pid}:{int(started) + 1}"):
        _, out, _ = workflow.run(script, "0", env=workflow.environment | {HEAD: head})
        assert json.loads(out)["parent"] == os.getpid()


def test_an_edited_module_of_the_project_is_read_anew(workflow, tmp_path):
    script = tmp_path / "import.py"
    script.write_text(
        "import opsft_flow.machine.runtime, messages\nprint(messages.WORD, opsft_flow.machine.runtime.__name__)"
    )
    for word in ("first", "second"):
        (tmp_path / "messages.py").write_text(f"WORD = {word!r}\n# {'x' * len(word)}")
        assert workflow.run(script)[1] == f"{word} opsft_flow.machine.runtime\n"


def test_a_script_that_a_signal_ends_gives_the_status_that_a_shell_would_give(workflow, tmp_path):
    script = tmp_path / "die.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert workflow.run(script)[0] == 128 + signal.SIGKILL


def test_an_error_shows_its_traceback_and_gives_status_1(workflow, tmp_path):
    script = tmp_path / "fail.py"
    script.write_text("raise KeyError('lost')")
    status, _, err = workflow.run(script)
    assert status == 1
    assert "KeyError: 'lost'" in err


def sleeper(tmp_path: Path) -> Path:
    """A script that writes its process id and that of a child, and then sleeps."""
    script = tmp_path / "sleep.py"
    script.write_text(
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "open(sys.argv[1] + '.part', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "os.rename(sys.argv[1] + '.part', sys.argv[1])\n"
        "time.sleep(600)\n"
    )
    return script


def start_sleeper(workflow: Workflow, tmp_path: Path) -> tuple[subprocess.Popen, list[int]]:
    note = tmp_path / "pids"
    launcher = workflow.start(sleeper(tmp_path), str(note), stdout=subprocess.DEVNULL)
    wait_until(note.exists)
    return launcher, [int(pid) for pid in note.read_text().split()]


def test_two_nodes_run_at_once(workflow, script, tmp_path):
    launcher, _ = start_sleeper(workflow, tmp_path)
    assert workflow.run(script, "0")[0] == 0
    launcher.kill()
    launcher.communicate()


def test_a_killed_launcher_takes_its_node_and_what_that_started_with_it(workflow, tmp_path):
    launcher, pids = start_sleeper(workflow, tmp_path)
    launcher.kill()
    launcher.communicate()
    wait_until(lambda: not any(map(is_running, pids)))


def test_a_killed_server_ends_the_node_which_begins_again_without_it(doomed, tmp_path):
    script = tmp_path / "count.py"
    script.write_text(
        "import os, pathlib, sys, time\n"
        "runs = pathlib.Path(sys.argv[1])\n"
        "(runs / str(os.getpid())).write_text(str(os.getppid()))\n"
        "time.sleep(0 if len(list(runs.iterdir())) == 2 else 600)\n"
        "print('done')\n"
    )
    runs = tmp_path / "runs"
    runs.mkdir()
    launcher = doomed.start(script, str(runs))
    wait_until(lambda: list(runs.iterdir()) and next(runs.iterdir()).read_text())
    first = int(next(runs.iterdir()).name)
    os.kill(doomed.server(), signal.SIGKILL)
    assert launcher.communicate(timeout=60)[0] == "done\n"
    assert not is_running(first)
    assert len(list(runs.iterdir())) == 2


def test_a_head_that_is_gone_takes_the_server_and_the_nodes_with_it(doomed, tmp_path):
    launcher, pids = start_sleeper(doomed, tmp_path)
    server = doomed.server()
    doomed.end()
    assert "the workflow that started this node has ended" in launcher.communicate(timeout=20)[1]
    assert launcher.returncode == 1
    wait_until(lambda: not any(map(is_running, [server, *pids])))
    wait_until(lambda: not list(doomed.folder.glob("head-*")))


def test_a_server_that_must_not_fork_is_not_asked(doomed, script):
    """Such as one whose imports have initialised CUDA; it says so by a file."""
    doomed.run(script, "0")
    (socket,) = doomed.folder.glob("head-*/fork-*.sock")
    socket.with_suffix(".unfit").touch()
    _, out, _ = doomed.run(script, "0")
    assert json.loads(out)["parent"] == os.getpid()


def test_what_workflows_left_that_were_killed_is_removed_by_the_next(doomed, script):
    (doomed.folder / "head-1-1").mkdir()
    (doomed.folder / "head-1-1" / "fork-0.log").touch()
    doomed.run(script, "0")
    assert not (doomed.folder / "head-1-1").exists()


def test_a_folder_that_others_can_reach_is_refused(doomed, script):
    doomed.folder.chmod(0o755)
    status, _, err = doomed.run(script, "0")
    assert status == 1
    assert re.search(
        r"folder of user (\S+) with mode 700; found a folder of user \1 with mode 755. Delete it, or set OPSFT_RUNTIME_DIR",
        err,
    )


@pytest.mark.parametrize(
    ("error", "shown"),
    [("OSError(40, 'Too many levels of symbolic links', 'a')", "error: [Errno 40]"), ("KeyError('a')", "Traceback")],
)
def test_what_a_script_raises_outside_of_a_nodes_frame_is_one_message_where_it_can_be_mended(tmp_path, error, shown):
    (tmp_path / "fail.py").write_text(f"raise {error}")
    command = [sys.executable, "-P", "-m", "opsft_flow.machine.launch", str(tmp_path / "fail.py")]
    environment = {name: value for name, value in os.environ.items() if name not in (FORK, HEAD)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr.startswith(shown)) == (1, True), done.stderr
