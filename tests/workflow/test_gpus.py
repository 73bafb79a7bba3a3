"""A sweep on a machine with two GPUs, made up by a stand-in for nvidia-smi: both are used, and never two jobs on one."""

import datetime
import itertools
import json
import os
import shutil


def test_as_many_jobs_run_at_once_as_there_are_gpus_each_on_its_own(checkout, tmp_path, monkeypatch):
    shutil.rmtree(checkout.folder / "results/toy/opsft")
    pretend_two_gpus(tmp_path, monkeypatch)
    checkout.change(resources={"generate": {"gpu": 1}, "sft": {"gpu": 1}})
    checkout.run("--cores", "4", "--until", "sft")
    used: dict[str, list[tuple]] = {"GPU-aaaa": [], "GPU-bbbb": []}
    for sidecar in checkout.folder.glob("results/toy/opsft/*/seed0/iter*/**/*.run.json"):
        run = json.loads(sidecar.read_text())["run"]
        for gpu in run.get("gpus", []):
            used[gpu].append(tuple(datetime.datetime.fromisoformat(run[key]) for key in ("started", "ended")))
    # The training rollouts and the training of two points, up to their first policies.
    assert sum(map(len, used.values())) == 4
    assert all(used.values())
    for spans in used.values():
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(sorted(spans)))


def pretend_two_gpus(tmp_path, monkeypatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "nvidia-smi").write_text("#!/bin/sh\nprintf '0, GPU-aaaa, 81559\\n1, GPU-bbbb, 81559\\n'\n")
    (programs / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
