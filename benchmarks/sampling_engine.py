"""One engine's part of the sampling benchmark: see sampling.py."""

import functools
import os
import pathlib
import time
from collections.abc import Callable

from benchmarks.known import known
from benchmarks.record import versions
from opsft.engines import EngineSettings, Request, Sampling, load_engine
from opsft_flow.machine.gpus import Loan, find_gpus
from opsft_flow.machine.runtime import this_process
from opsft_flow.sampling.engines_per_gpu import share_of_gpu, weights_in_memory
from opsft_flow.sampling.orders import Policy
from opsft_flow.sampling.sample import dtype_of
from opsft_flow.sampling.warm_engine import WarmEngine

WARM_UP_TOKENS = 8


def measure(job: dict) -> dict:
    """Start the engine, warm it up, and time each workload of the job."""
    started = time.monotonic()
    generate = start(job)
    ready = time.monotonic()
    first = job["workloads"][0]
    # One request for each engine: of several, those that are asked start.
    sample(generate, first["requests"][: job["engines"]], {**first["sampling"], "max_tokens": WARM_UP_TOKENS})
    result = {
        # Imports and weights are part of the start; several engines start with their first request.
        "start_s": round(ready - started, 2),
        "first_request_s": round(time.monotonic() - ready, 2),
        "versions": versions(),
    }
    for workload in job["workloads"]:
        completions, seconds = sample(generate, workload["requests"], workload["sampling"])
        responses = [completion for group in completions for completion in group]
        tokens = sum(len(response.token_ids) for response in responses)
        result[workload["name"]] = {
            "tokens": tokens,
            "seconds": round(seconds, 2),
            "tokens_per_second": round(tokens / seconds, 1),
            "finished": round(sum(r.finish_reason == "stop" for r in responses) / len(responses), 3),
        }
        if workload["sampling"]["temperature"] == 0:
            result["greedy"] = [response.token_ids for response in responses]
    return result


def start(job: dict) -> Callable:
    """The function that samples: of an engine in this process, or of several in processes of their own that share the GPU."""
    settings = known(EngineSettings, job["settings"])
    if job["engines"] == 1:
        return load_engine(job["engine"], job["checkpoint"], settings).generate
    gpus = tuple(find_gpus()[:1])
    weights_mb = weights_in_memory(pathlib.Path(job["checkpoint"]), dtype_of(settings, Loan(gpus, ())))
    each = share_of_gpu(settings, job["engines"], weights_mb, sum(gpu.memory_mb for gpu in gpus))
    policy = Policy(job["checkpoint"], base="benchmark", weights="benchmark", probe=None, tolerance=0.0)
    threads = max(1, (os.cpu_count() or 1) // job["engines"])
    # Nobody else uses the GPU of a benchmark: nothing is locked.
    engines = WarmEngine(job["engine"], each, policy, Loan(gpus, ()), threads, idle_s=600, head=this_process())
    return functools.partial(engines.generate, engines=job["engines"])


def sample(generate: Callable, requests: list, sampling: dict) -> tuple[list, float]:
    """The completions of `requests`, and the seconds that they took."""
    asked = [Request(tuple(ids), seed, samples) for ids, seed, samples in requests]
    drawn = known(Sampling, {**sampling, "stop_token_ids": tuple(sampling["stop_token_ids"])})
    started = time.monotonic()
    completions = generate(asked, drawn, lambda done, total, tokens: None)
    return completions, time.monotonic() - started
