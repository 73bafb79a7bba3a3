"""One engine's part of the sampling benchmark: see sampling.py."""

import time

from benchmarks.known import known
from benchmarks.record import versions
from opsft.engines import Engine, EngineSettings, Request, Sampling, load_engine

WARM_UP_TOKENS = 8


def measure(job: dict) -> dict:
    """Start the engine, warm it up, and time each workload of the job."""
    started = time.monotonic()
    engine = load_engine(job["engine"], job["checkpoint"], known(EngineSettings, job["settings"]))
    ready = time.monotonic()
    first = job["workloads"][0]
    sample(engine, first["requests"][:1], {**first["sampling"], "max_tokens": WARM_UP_TOKENS})
    result = {
        # Imports and weights are part of the start.
        "start_s": round(ready - started, 2),
        "first_request_s": round(time.monotonic() - ready, 2),
        "versions": versions(),
    }
    for workload in job["workloads"]:
        completions, seconds = sample(engine, workload["requests"], workload["sampling"])
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


def sample(engine: Engine, requests: list, sampling: dict) -> tuple[list, float]:
    """The completions of `requests`, and the seconds that they took."""
    asked = [Request(tuple(ids), seed, samples) for ids, seed, samples in requests]
    drawn = known(Sampling, {**sampling, "stop_token_ids": tuple(sampling["stop_token_ids"])})
    started = time.monotonic()
    completions = engine.generate(asked, drawn, lambda done, total, tokens: None)
    return completions, time.monotonic() - started
