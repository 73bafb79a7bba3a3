"""A disk that fills up under each kind of node: one message, nothing half written, and the same bytes once there is room."""

import csv
import hashlib
import io
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from opsft_flow.machine.launch import FORK
from opsft_flow.machine.runtime import FOLDER, HEAD, process_start
from tests.unit.processes import wait_until
from tests.workflow.conftest import Checkout
from tests.workflow.small_disk import SmallDisk

TRAINED = "toy/opsft/L40/seed0/iter2/policy.json"
NODES = {
    "problems": "problems/sums-test.parquet",
    "base": "toy/base/policy.json",
    "generate": "toy/opsft/L40/seed0/iter2/train/rollouts.parquet",
    "verify": "toy/opsft/L40/seed0/iter2/train/verdicts.parquet",
    "filter": "toy/opsft/L40/seed0/iter2/train/selected.parquet",
    "sft": TRAINED,
    "evaluate": "toy/opsft/L40/seed0/iter2/eval/sums/metrics.json",
    "track": "toy/opsft/L40/seed0/iter2/tracked.json",
    "summary": "summary/points.csv",
    "compare": "summary/pairs.csv",
    "timings": "summary/timings.csv",
    "figures": "summary/pareto.svg",
    "page": "summary/report.html",
    "generate_shard": "toy/opsft/L40/seed0/iter2/train/shards/1-of-2.parquet",
    "stop": "toy/opsft/L40/seed0/iter2/stop.json",
}
"""One node of each kind, by an output of it."""
FORESEEN = {"sft": "this training", "track": r"the run of \S+ in \S+"}
"""What needs room that is asked for before the node begins."""
TIMED = ("timings.csv", "timings_by_node.csv", "costs.csv", "findings.md", "report.html")
"""They hold times, so no two runs give the same bytes."""
PAGE = os.sysconf("SC_PAGE_SIZE")
LEFT = {"generate": 2 * PAGE, "generate_shard": 2 * PAGE, "verify": 2 * PAGE, "sft": 3 * PAGE}
"""Room for the locks of the node, and for the first lines of the log, where there are any before a result is written."""


def small_disk(folder: Path, megabytes: int) -> SmallDisk:
    """A small disk; the test is skipped where this user may not mount one."""
    try:
        return SmallDisk(folder, megabytes)
    except OSError as error:
        pytest.skip(str(error))


class Nodes:
    """The nodes of a finished sweep whose results lie on a small disk, each to be run by itself."""

    def __init__(self, finished: Checkout, checkout: Checkout, runtime: Path) -> None:
        self.finished, self.checkout = finished, checkout
        results = checkout.folder / "results"
        results.rename(checkout.folder / "finished")
        results.mkdir()
        self.disk = small_disk(results, megabytes=64)
        shutil.copytree(checkout.folder / "finished", self.disk.folder, dirs_exist_ok=True)
        self.table = self.summarise()
        runtime.chmod(0o700)
        self.terminal = runtime / "terminal"
        with open(self.terminal, "w") as terminal:
            self.head = subprocess.Popen([*self.disk.enter, "sleep", "600"], stderr=terminal)
        head = f"{os.uname().nodename}:{self.head.pid}:{process_start(self.head.pid)}"
        root = str(checkout.folder)
        self.environment = os.environ | {HEAD: head, FORK: "1", FOLDER: str(runtime), "PYTHONPATH": root}
        for kind, command in (("generate_shard", self.shard_command()), ("stop", self.stop_command())):
            self.add(NODES[kind], command)

    def summarise(self) -> list[dict]:
        """What Snakemake knows of each output: its rule and command, among others."""
        command = [sys.executable, "-m", "snakemake", "--configfile", str(self.checkout.overlay), "--detailed-summary"]
        done = subprocess.run([*self.disk.enter, *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        # Commands are recorded as they were run, in the folder that this one is a copy of.
        moved = done.stdout.replace(str(self.finished.folder), str(self.checkout.folder))
        return list(csv.DictReader(io.StringIO(moved), delimiter="\t", quoting=csv.QUOTE_NONE))

    def shard_command(self) -> str:
        """The command of the first of two shards of a place that was sampled in one."""
        command = self.command_of(NODES["generate"]).replace("--shard all --shards 1", "--shard 1 --shards 2")
        return command.replace("train/rollouts.", "train/shards/1-of-2.")

    def stop_command(self) -> str:
        """The command of a decision that rests on the batch of an iteration."""
        start = self.command_of(NODES["filter"]).partition(" --settings ")[0].replace("filter.py", "stop.py")
        rule = {"kept_share_below": {"share": 1e-9, "patience": 1}}
        settings = shlex.quote(json.dumps({"stop": rule, "iteration": 2}))
        decision = f"results/{NODES['stop']}"
        outputs = f"--decision {decision} --run {decision.replace('.json', '.run.json')}"
        return f"{start} --settings {settings} {outputs} > results/logs/stop.log 2>&1"

    def add(self, output: str, command: str) -> None:
        """Run a node that the sweep has not, and take note of its outputs."""
        log = re.search(r"> (\S+) 2>&1$", command)[1]
        for name in (f"results/{output}", str(Path(f"results/{output}").with_suffix(".run.json"))):
            self.table.append({"output_file": name, "shellcmd": command, "log-file(s)": log})
        assert self.run(output) == 0, self.message_of(output)

    def command_of(self, output: str) -> str:
        return next(row["shellcmd"] for row in self.table if row["output_file"] == f"results/{output}")

    def outputs_of(self, output: str) -> list[Path]:
        command = self.command_of(output)
        names = [row["output_file"] for row in self.table if row["shellcmd"] == command]
        return [self.disk.folder.parent / name for name in names]

    def log_of(self, output: str) -> Path:
        row = next(row for row in self.table if row["output_file"] == f"results/{output}")
        return self.disk.folder.parent / row["log-file(s)"]

    def clear(self, output: str) -> None:
        """Remove the outputs of a node, as Snakemake does before it runs, and what has been said of it."""
        for path in self.outputs_of(output):
            path.unlink(missing_ok=True)
        for file in (self.log_of(output), self.terminal):
            os.truncate(file, 0)

    def start(self, output: str) -> subprocess.Popen:
        command = [*self.disk.enter, "bash", "-euo", "pipefail", "-c", self.command_of(output)]
        with open(self.terminal, "a") as terminal:
            return subprocess.Popen(command, env=self.environment, stdout=terminal, stderr=terminal)

    def run(self, output: str) -> int:
        """Run a node; its exit status."""
        return self.start(output).wait(timeout=120)

    def message_of(self, output: str) -> str:
        """What the node has said, in its log or, where that had no room, to the workflow."""
        return self.log_of(output).read_text() + self.terminal.read_text()

    def hashes(self) -> dict[str, str]:
        """SHA-256 of everything but logs and sidecars, by path."""
        root = self.disk.folder
        files = [p for p in root.rglob("*") if p.is_file() and p != self.disk.ballast]
        kept = [p for p in files if "logs" not in p.parts and not p.name.endswith(".run.json")]
        return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}

    def end(self) -> None:
        self.head.kill()
        self.head.wait()
        self.disk.end()


@pytest.fixture(scope="module")
def nodes(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("full") / "checkout"
    shutil.copytree(finished.folder, folder, symlinks=True)
    nodes = Nodes(finished, Checkout(folder), tmp_path_factory.mktemp("run"))
    yield nodes
    nodes.end()


@pytest.fixture
def room(nodes):
    """There is room again after a test, whatever became of it."""
    yield
    nodes.disk.empty()


def comparable(hashes: dict[str, str]) -> dict[str, str]:
    """Results that no time stands in, and no run of W&B, whose name holds one."""
    return {
        name: digest
        for name, digest in hashes.items()
        if Path(name).name not in TIMED and not re.search(r"/wandb/|/\.scratch/\w+/lock$", name)
    }


def assert_refused(nodes: Nodes, output: str, before: dict[str, str]) -> str:
    """Nothing of a node that has failed is left but whole files; the one message that it has given."""
    left = nodes.hashes()
    assert comparable(left).items() <= comparable(before).items()
    assert not list(nodes.disk.folder.rglob("*.tmp")) + list(nodes.disk.folder.rglob("*.old"))
    errors = [line for line in nodes.message_of(output).splitlines() if "error" in line.lower()]
    assert len(errors) == 1, nodes.message_of(output)
    assert "Traceback" not in nodes.message_of(output)
    return errors[0]


@pytest.mark.parametrize("kind", NODES)
def test_a_node_on_a_full_disk_says_so_and_leaves_everything_as_it_was(nodes, room, kind):
    output, before = NODES[kind], nodes.hashes()
    nodes.clear(output)
    nodes.disk.fill(leave=LEFT.get(kind, PAGE))
    assert nodes.run(output) == 1
    error = assert_refused(nodes, output, before)
    if kind in FORESEEN:
        assert re.match(rf"error: \S*results/\S+: the disk is too full: {FORESEEN[kind]} needs [\d,]+ bytes", error), (
            error
        )
    else:
        file = re.match(r"error: (\S+): the disk is full after [\d,]+ bytes of it", error)
        assert file, error
        assert nodes.disk.folder.parent / file[1] in nodes.outputs_of(output)
    nodes.disk.empty()
    assert nodes.run(output) == 0, nodes.message_of(output)
    assert comparable(nodes.hashes()) == comparable(before)


def test_training_that_has_no_room_for_its_policy_is_refused_before_it_begins(nodes, room):
    weights = (nodes.disk.folder / TRAINED).with_name("policy") / "model.safetensors"
    # Weights, their two moments, and all of that again in a checkpoint, each in 4 bytes.
    needed = 6 * 4 * sum(math.prod(tensor["shape"]) for tensor in tensors_of(weights).values())
    nodes.clear(TRAINED)
    nodes.disk.fill(leave=needed - PAGE)
    assert nodes.run(TRAINED) == 1
    nodes.disk.empty()
    assert f"this training needs {needed:,} bytes" in nodes.message_of(TRAINED)
    assert "updates 0/2" not in nodes.message_of(TRAINED)
    nodes.disk.fill(leave=needed + 20 * PAGE)
    assert nodes.run(TRAINED) == 0, nodes.message_of(TRAINED)
    nodes.disk.empty()


def test_training_whose_disk_fills_up_goes_on_from_its_checkpoint(nodes, room):
    before = nodes.hashes()
    nodes.clear(TRAINED)
    process = nodes.start(TRAINED)
    wait_until(lambda: list(nodes.disk.folder.glob("toy/opsft/L40/seed0/.scratch/*/state")))
    nodes.disk.fill(leave=PAGE)
    assert process.wait(timeout=120) == 1
    state = {name: digest for name, digest in nodes.hashes().items() if ".scratch" in name}
    assert re.match(r"error: results/\S+: the disk is full", assert_refused(nodes, TRAINED, {**before, **state}))
    nodes.disk.empty()
    assert nodes.run(TRAINED) == 0, nodes.message_of(TRAINED)
    assert "resuming after update 1 of 2" in nodes.message_of(TRAINED)
    assert nodes.hashes() == before


def tensors_of(file: Path) -> dict[str, dict]:
    """The header of a safetensors file: a length in 8 bytes, then JSON."""
    with open(file, "rb") as content:
        header = json.loads(content.read(int.from_bytes(content.read(8), "little")))
    return {name: tensor for name, tensor in header.items() if name != "__metadata__"}


def test_a_run_whose_records_have_no_room_is_refused(finished, tmp_path):
    """Snakemake itself would end with a traceback, here or later."""
    (tmp_path / "work").mkdir()
    disk = small_disk(tmp_path / "work", megabytes=2)
    snakefile = ["--snakefile", str(finished.folder / "Snakefile"), "--directory", str(tmp_path / "work")]
    command = [sys.executable, "-m", "snakemake", *snakefile, "--configfile", str(finished.overlay), "--dry-run"]
    done = subprocess.run([*disk.enter, *command], capture_output=True, text=True)
    disk.end()
    assert done.returncode == 1
    assert re.search(
        r"/work: the disk is too full: .* needs 4,194,304 bytes, [12],[\d,]+ are free", done.stdout + done.stderr
    )
