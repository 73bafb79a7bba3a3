"""Where and by which engine a node samples: on GPUs that it holds alone, by an engine of its own or one that was kept."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from opsft.engines import Completion, EngineSettings, Progress, Request, Sampling, load_engine
from opsft_flow.machine.engines_per_gpu import choose_engines, share_of_gpu, weights_in_bfloat16
from opsft_flow.machine.gpus import Loan, borrow_gpus
from opsft_flow.machine.runtime import find_head
from opsft_flow.machine.warm_engine import Policy, WarmEngine, is_warm, put_to_sleep
from opsft_flow.node import Node

EXACT, ROUNDED = 1e-3, 0.2
"""How far, in nats, engine and trainer may be apart in one log-probability: both in float32, or one of them in less."""


def sample(
    job: Node, checkpoint: Path, requests: Sequence[Request], sampling: Sampling, progress: Progress
) -> list[list[Completion]]:
    """The completions of each request, by the job's engine; its phases are added to the job's."""
    block = dict(job.settings["engine"])
    name, settings = block.pop("name"), EngineSettings(**block)
    serving = json.loads(job.serving)
    head = find_head()
    gpus = 0 if settings.device == "cpu" else job.gpus
    with borrow_gpus(gpus, job.settings["place"], prefer=lambda gpu: head is not None and is_warm(gpu, head)) as loan:
        engines, settings = plan_engines(name, settings, serving["engines_per_gpu"], checkpoint, loan)
        if engines > 1 or is_kept(name, serving["engine"]):
            policy = Policy.of_manifest(job.policy, checkpoint, tolerance_of(settings, loan))
            kept = WarmEngine(name, settings, policy, loan, serving["idle_s"])
            return sample_from_kept(job, kept, requests, sampling, progress, engines)
        put_to_sleep(loan.gpus)
        with job.phase("engine start"):
            engine = load_engine(name, str(checkpoint), settings)
        with job.phase("sample"):
            return engine.generate(requests, sampling, progress)


def sample_from_kept(
    job: Node,
    kept: WarmEngine,
    requests: Sequence[Request],
    sampling: Sampling,
    progress: Progress,
    engines: int,
) -> list[list[Completion]]:
    """Sample from engines that outlive the node; what is neither starting, loading nor sampling is `transfer`."""
    started = time.monotonic()
    completions = kept.generate(requests, sampling, progress, engines)
    seconds = time.monotonic() - started
    job.phases |= {**kept.phases, "transfer": max(0.0, seconds - sum(kept.phases.values()))}
    return completions


def is_kept(name: str, when: str) -> bool:
    """Whether an engine outlives its node: a transformers engine starts fast, so `auto` keeps vLLM's alone."""
    return when == "always" or (when == "auto" and name == "vllm")


def plan_engines(
    name: str, settings: EngineSettings, wanted: int | str, checkpoint: Path, loan: Loan
) -> tuple[int, EngineSettings]:
    """How many engines share the loan, and the settings of each; only vLLM's share a GPU."""
    if len(loan.gpus) != 1 or name != "vllm":
        return 1, settings
    weights_mb = weights_in_bfloat16(checkpoint)
    engines = choose_engines(weights_mb, len(os.sched_getaffinity(0))) if wanted == "auto" else int(wanted)
    return engines, share_of_gpu(settings, engines, weights_mb, loan.gpus[0].memory_mb)


def tolerance_of(settings: EngineSettings, loan: Loan) -> float:
    in_float32 = settings.dtype == "float32" or (settings.dtype == "auto" and not loan.gpus)
    return EXACT if in_float32 else ROUNDED
