"""Where and by which engine a node samples: on GPUs that it holds, or shares of them, by an engine of its own or one that was kept."""

import dataclasses
import importlib.metadata
import json
import time
from collections.abc import Sequence
from pathlib import Path

from opsft.engines import Completion, EngineSettings, Progress, Request, Sampling, load_engine
from opsft_flow.machine.engine_sockets import is_warm, put_to_sleep
from opsft_flow.machine.gpus import Loan, borrow_for_node
from opsft_flow.machine.runtime import find_head, this_process
from opsft_flow.node import Node
from opsft_flow.sampling.engines_per_gpu import choose_engines, share_of_gpu, weights_in_memory
from opsft_flow.sampling.orders import Policy
from opsft_flow.sampling.warm_engine import WarmEngine


def sample(
    job: Node, checkpoint: Path, requests: Sequence[Request], sampling: Sampling, progress: Progress
) -> list[list[Completion]]:
    """The completions of each request, by the job's engine; its phases are added to the job's."""
    block = dict(job.settings["engine"])
    name, settings = block.pop("name"), EngineSettings(**block)
    serving = json.loads(job.serving)
    head = find_head()
    # Where there is a GPU, one is used whatever the configuration counts, so one is held.
    gpus = 0 if settings.device == "cpu" else max(1, job.gpus)
    place, prefer = job.settings["place"], lambda gpu: head is not None and is_warm(gpu, head)
    with borrow_for_node(job.facts, job.phases, gpus, place, prefer) as loan:
        job.facts["engine"] = {"name": name, "version": installed_version(name), "dtype": dtype_of(settings, loan)}
        engines, settings = plan_engines(name, settings, serving["engines_per_gpu"], job.threads, checkpoint, loan)
        keep = is_kept(name, serving["engine"])
        if keep or engines > 1:
            policy = Policy.of_manifest(job.policy, checkpoint, dtype_of(settings, loan) == "float32")
            # Without a workflow on this machine (on a cluster) engines serve this node alone, and end with it.
            owner = head if keep and head else this_process()
            # Several engines load weights at once, and each would take all threads for it.
            threads = max(1, job.threads // engines)
            kept = WarmEngine(name, settings, policy, loan, threads, serving["idle_s"], owner)
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
    name: str, settings: EngineSettings, wanted: int | str, threads: int, checkpoint: Path, loan: Loan
) -> tuple[int, EngineSettings]:
    """How many engines share the loan, and the settings of each; only vLLM's share a GPU, and only where its memory is known."""
    if name != "vllm" or not loan.gpus:
        return 1, settings
    gpu = loan.gpus[0]
    part = settings.gpu_memory_utilization / gpu.shares
    if len(loan.gpus) > 1 or gpu.memory_mb == 0:
        return 1, dataclasses.replace(settings, gpu_memory_utilization=part)
    weights_mb = weights_in_memory(checkpoint, dtype_of(settings, loan))
    if wanted == "auto":
        engines = choose_engines(weights_mb, settings.kv_cache_memory_mb, threads, part * gpu.memory_mb)
    else:
        engines = int(wanted)
    return engines, share_of_gpu(settings, engines, weights_mb, gpu.memory_mb, gpu.shares)


def dtype_of(settings: EngineSettings, loan: Loan) -> str:
    """The arithmetic that the engine will use; see `opsft.engines.EngineSettings`."""
    if settings.dtype != "auto":
        return settings.dtype
    return "bfloat16" if loan.gpus else "float32"


def installed_version(module: str) -> str | None:
    """Version of the package that holds a module, whatever the package is called; the engine may live in another process."""
    try:
        return importlib.metadata.version(module)
    except importlib.metadata.PackageNotFoundError:
        packages = importlib.metadata.packages_distributions().get(module)
        return importlib.metadata.version(packages[0]) if packages else None
