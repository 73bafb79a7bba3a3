"""What a node asks of an engine in another process, and how that process answers it."""

import contextlib
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opsft.engines import Completion, Engine, EngineSettings, Progress, Request, Sampling, load_engine
from opsft_flow.files import read_json
from opsft_flow.integrity import digest_of
from opsft_flow.node import limit_threads

Timed = Callable[[str], contextlib.AbstractContextManager]
"""Takes the name of a phase, and measures what is done inside."""

EXACT, ROUNDED = 1e-3, 0.2
"""How far, in nats, engine and trainer may be apart in one log-probability: both in float32, or one of them in less."""


@dataclass(frozen=True)
class Policy:
    """What is sampled from: the checkpoint's folder, the base model it comes from, a name for its weights, and a probe of them.

    The probe is a log-probability that the trainer found (None for a base model); `tolerance` is in nats: how far the engine
    may be from it.
    """

    folder: str
    base: str
    weights: str
    probe: dict | None
    tolerance: float

    @classmethod
    def of_manifest(cls, manifest_path: str, folder: Path, engine_in_float32: bool) -> "Policy":
        manifest = read_json(manifest_path)
        weights = {name: digest_of(entry) for name, entry in manifest["files"].items() if name.endswith(".safetensors")}
        probe = manifest["probe"]
        exact = engine_in_float32 and probe is not None and probe["dtype"] == "float32"
        return cls(
            folder=str(folder),
            base=f"{manifest['source']}@{manifest['revision']}",
            weights=json.dumps(weights, sort_keys=True),
            probe=probe,
            tolerance=EXACT if exact else ROUNDED,
        )


def order_of(
    engine: str, settings: EngineSettings, threads: int, policy: Policy, requests: list[Request], sampling: Sampling
) -> dict:
    """An order to sample, as JSON holds it."""
    return {
        "do": "sample",
        "engine": engine,
        "settings": dataclasses.asdict(settings),
        "threads": threads,
        "model": policy.folder,
        "weights": policy.weights,
        "probe": policy.probe,
        "tolerance": policy.tolerance,
        "requests": [(request.prompt_ids, request.seed, request.samples) for request in requests],
        "sampling": dataclasses.asdict(sampling),
    }


def rows_of(completions: list[Completion]) -> list[tuple]:
    """The completions of one request, as JSON holds them."""
    return [(one.token_ids, one.finish_reason, one.logprob) for one in completions]


def completions_of(rows: list[tuple]) -> list[Completion]:
    """The completions of one request that `rows` hold."""
    return [Completion(tuple(ids), reason, logprob) for ids, reason, logprob in rows]


class KeptEngine:
    """An engine that fills one order after the other; `weights` names those that are in it."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.weights: str | None = None

    def fill(self, order: dict, progress: Progress, timed: Timed) -> list[list[tuple]]:
        """Sample from the policy that is asked for: rows for each request."""
        self.take_policy(order, timed)
        requests = [Request(tuple(ids), seed, samples) for ids, seed, samples in order["requests"]]
        sampling = Sampling(**{**order["sampling"], "stop_token_ids": tuple(order["sampling"]["stop_token_ids"])})
        with timed("sample"):
            return [rows_of(several) for several in self.engine.generate(requests, sampling, progress)]

    def take_policy(self, order: dict, timed: Timed) -> None:
        """Start the engine where it has not been, put the policy's weights into it where they are others, and check them."""
        if self.engine is None:
            limit_threads(order["threads"])
            with timed("engine start"):
                self.engine = load_engine(order["engine"], order["model"], EngineSettings(**order["settings"]))
        elif self.weights != order["weights"]:
            self.weights = None
            with timed("weights"):
                self.engine.load_weights(order["model"])
        if self.weights != order["weights"]:
            with timed("weights"):
                check_probe(self.engine, order["probe"], order["tolerance"])
            self.weights = order["weights"]


def check_probe(engine: Engine, probe: dict | None, tolerance: float) -> None:
    """Compare a log-probability, in nats, with the one that the trainer found; a policy that was not trained here has none.

    Raises RuntimeError where they differ: other weights, or only some of the right ones, are in the engine.
    """
    if probe is None:
        return
    greedy = Sampling(max_tokens=1, temperature=0.0, top_p=1.0, top_k=0, stop_token_ids=(), logprobs=True)
    request = Request(tuple(probe["prompt_ids"]), seed=0, samples=1)
    found = engine.generate([request], greedy, lambda done, total, tokens: None)[0][0].logprob
    if abs(found - probe["logprob"]) > tolerance:
        raise RuntimeError(
            f"the engine gives the likeliest next token a log-probability of {found:.4f}, the trainer {probe['logprob']:.4f}; "
            f"{tolerance} nats apart are allowed: the engine does not hold this policy's weights"
        )
