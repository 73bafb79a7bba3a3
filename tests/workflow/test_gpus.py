"""A sweep on a machine with two GPUs, or one in two shares, made up by a stand-in for nvidia-smi: two jobs run at once.

A node holds its GPU for a part of its time only; that two never meet on one is shown in tests/unit/test_gpus.py.
"""

import datetime
import json
import os
import shutil

import pytest


@pytest.mark.parametrize(("gpus", "shares"), [(["GPU-aaaa", "GPU-bbbb"], 1), (["GPU-aaaa"], 2)])
def test_as_many_jobs_run_at_once_as_there_are_gpus_or_shares(gpus, shares, checkout, tmp_path, monkeypatch):
    shutil.rmtree(checkout.folder / "results/toy/opsft")
    pretend_gpus(gpus, tmp_path, monkeypatch)
    checkout.change(resources={"generate": {"gpu": 1}, "sft": {"gpu": 1}, "gpu_shares": shares})
    checkout.run("--cores", "4", "--until", "sft")
    runs = [
        json.loads(sidecar.read_text())["run"] for sidecar in checkout.folder.glob("results/toy/opsft/**/*.run.json")
    ]
    held = [run for run in runs if run.get("gpus")]
    # The training rollouts and the training of two points, up to their first policies.
    assert [(len(run["gpus"]), run["gpus_held"]) for run in held] == [(1, 1 / shares)] * 4
    assert {run["gpus"][0] for run in held} <= set(gpus)
    spans = [tuple(datetime.datetime.fromisoformat(run[key]) for key in ("started", "ended")) for run in held]
    assert max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) == 2


def pretend_gpus(uuids: list[str], tmp_path, monkeypatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    rows = "".join(f"{index}, {uuid}, 81559\\n" for index, uuid in enumerate(uuids))
    (programs / "nvidia-smi").write_text(f"#!/bin/sh\nprintf '{rows}'\n")
    (programs / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
