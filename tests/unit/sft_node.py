"""A point with two iterations of rollouts over the tiny model, and the sft node run on it by its script."""

import json
import os
import pathlib
import runpy
import subprocess
import sys
from unittest import mock

import numpy as np

from opsft_flow.configuration.config import resolve
from opsft_flow.files import write_json
from opsft_flow.graph.node_settings import UNTRACKED_SFT_KEYS
from opsft_flow.tables import ROLLOUT, SELECTED, write_table
from tests.unit.example_config import example_config

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "workflow" / "scripts" / "sft.py"
ROLLOUTS = 12


def make_point(folder: pathlib.Path, model) -> pathlib.Path:
    """Base model, its manifest, and for iterations 1 and 2 twelve rollouts of which all but the first two are kept."""
    model.save_pretrained(folder / "model")
    (folder / "model" / "generation_config.json").write_text("{}")
    nothing = {"path": None, "files": {}, "optimizer": None, "revision": None, "probe": None}
    counts = {"iteration": 0, "updates": 0, "tokens_trained": 0, "empty_streak": 0, "stopped": None}
    write_json(folder / "base.json", {"source": str(folder / "model"), **nothing, **counts})
    for iteration in (1, 2):
        rows = [make_rollout(number, np.random.default_rng((iteration, number))) for number in range(ROLLOUTS)]
        kept = [{"problem_id": row["problem_id"], "sample": row["sample"], "weight": 1.0} for row in rows[2:]]
        (folder / f"iter{iteration}").mkdir()
        write_table(folder / f"iter{iteration}/rollouts.parquet", rows, ROLLOUT)
        write_table(folder / f"iter{iteration}/selected.parquet", kept, SELECTED)
    return folder


def make_rollout(number: int, rng: np.random.Generator) -> dict:
    response = rng.integers(1, 64, rng.integers(3, 20)).tolist()
    return {
        "problem_id": f"p{number // 2}",
        "sample": number % 2,
        "seed": number,
        "prompt_ids": rng.integers(1, 64, 5).tolist(),
        "response_ids": response,
        "text": "",
        "tokens": len(response),
        "finish_reason": "stop",
        "logprob": -4.0 * len(response),
        "opens_thinking": False,
    }


def run_sft(point: pathlib.Path, iteration: int, processes: int = 1, decision: object = "none", **changes) -> dict:
    """Run the node of one iteration with `changes` of the sft block; its manifest."""
    block = {**resolve(example_config())["recipes"]["r"]["sft"], "lr": 1e-2, "warmup_updates": 0, **changes}
    tracked = {key: value for key, value in block.items() if key not in UNTRACKED_SFT_KEYS}
    settings = {"point": {"seed": 3, "budget": 20}, "iteration": iteration, "sft": tracked, "trust_remote_code": False}
    folder = point / f"iter{iteration}"
    paths = {
        "parent": point / ("base.json" if iteration == 1 else f"iter{iteration - 1}/policy.json"),
        "rollouts": folder / "rollouts.parquet",
        "selected": folder / "selected.parquet",
        "policy": folder / "policy.json",
        "run": folder / "policy.run.json",
    }
    limits = {key: block[key] for key in UNTRACKED_SFT_KEYS}
    arguments = ["--settings", json.dumps(settings), "--limits", json.dumps(limits), "--decision", str(decision)]
    arguments += [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    if processes == 1:
        run_here(arguments)
    else:
        run_together(processes, arguments)
    return json.loads(paths["policy"].read_text())


def run_here(arguments: list[str]) -> None:
    """In this process: the imports are paid for once."""
    with mock.patch.object(sys, "argv", [str(SCRIPT), *arguments]), mock.patch.dict(os.environ):
        runpy.run_path(str(SCRIPT), run_name="__main__")


def run_together(processes: int, arguments: list[str]) -> None:
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "--"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", *torchrun, str(SCRIPT), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
