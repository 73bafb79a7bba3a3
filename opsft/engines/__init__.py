"""Engines: they sample token ids from a policy. Token ids in, token ids out; text never makes a round trip.

An engine is a module of this package with a function `load(model_path, settings) -> Engine`. This module holds what
all engines share: what is asked of them, what they return, and the checks before and after anything is sampled.
"""

import importlib
import math
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

DTYPES = ("auto", "float32", "bfloat16", "float16")
LARGEST_SEED = 2**63 - 1
LEAST_TEMPERATURE = 0.01

Progress = Callable[[int, int, int], None]
"""Called with (completions done, completions in all, tokens sampled so far), as often as every decoding step."""


@dataclass(frozen=True)
class Request:
    """A prompt and how often to continue it; sample k is drawn with seed `seed + k`."""

    prompt_ids: tuple[int, ...]
    seed: int
    samples: int


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: temperature first, then `top_k` (0: off), then `top_p` on what is left (1: off).

    Temperature 0 is greedy, and makes all samples of a request equal. A response ends with the first of
    `stop_token_ids`, or after `max_tokens` tokens; the ids that end a response are the caller's to name. `logprobs` asks
    for log-probabilities, with which vLLM samples more slowly.
    """

    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    stop_token_ids: tuple[int, ...]
    logprobs: bool

    def __post_init__(self) -> None:
        _require(self.max_tokens >= 1, "max_tokens", self.max_tokens, "1 or more")
        # vLLM would silently raise a temperature between the two.
        is_usable = self.temperature == 0 or self.temperature >= LEAST_TEMPERATURE
        _require(is_usable, "temperature", self.temperature, f"0 (greedy), or {LEAST_TEMPERATURE} or more")
        _require(0 < self.top_p <= 1, "top_p", self.top_p, "above 0, and 1 at most")
        _require(self.top_k >= 0, "top_k", self.top_k, "0 (off) or more")
        _require(all(i >= 0 for i in self.stop_token_ids), "stop_token_ids", self.stop_token_ids, "ids of 0 or more")


@dataclass(frozen=True)
class Completion:
    """One response: its token ids, with the stop token when it stopped.

    `logprob` is the sum over these tokens of log π(token | prompt, earlier tokens) in nats, under the raw policy:
    temperature 1, before top-k and top-p. None where log-probabilities were not asked for.
    """

    token_ids: tuple[int, ...]
    finish_reason: Literal["stop", "length"]
    logprob: float | None


@dataclass(frozen=True)
class EngineSettings:
    """How the engine runs. The last four are vLLM's alone.

    `context` is in tokens of prompt plus response; `max_sequences` is how many sequences are decoded together;
    `dtype` "auto" is bfloat16 on a GPU and float32 on a CPU; `device` "auto" is the GPU where there is one.
    """

    context: int
    max_sequences: int = 256
    dtype: str = "auto"
    device: str = "auto"
    trust_remote_code: bool = False
    gpu_memory_utilization: float = 0.9
    tensor_parallel: int = 1
    enforce_eager: bool = False
    kv_cache_memory_mb: int | None = None

    def __post_init__(self) -> None:
        _require(self.context >= 2, "context", self.context, "2 tokens or more")
        _require(self.max_sequences >= 1, "max_sequences", self.max_sequences, "1 or more")
        _require(self.dtype in DTYPES, "dtype", self.dtype, ", ".join(DTYPES))
        fraction = self.gpu_memory_utilization
        _require(0 < fraction <= 1, "gpu_memory_utilization", fraction, "above 0, and 1 at most")
        _require(self.tensor_parallel >= 1, "tensor_parallel", self.tensor_parallel, "1 or more")
        cache = self.kv_cache_memory_mb
        _require(cache is None or cache >= 1, "kv_cache_memory_mb", cache, "1 or more, or null")


class Engine(Protocol):
    """A loaded policy that can be sampled from, put aside, and exchanged for another of the same architecture."""

    def generate(self, requests: Sequence[Request], sampling: Sampling, progress: Progress) -> list[list[Completion]]:
        """The completions of each request, in the order of `requests` and of their samples.

        Raises ValueError, before anything is sampled, for a request that cannot be served, and FloatingPointError
        where a log-probability that was asked for is not finite. An engine that sleeps is woken first.
        """
        ...

    def load_weights(self, model_path: str) -> None:
        """Take the weights of the checkpoint at `model_path` in place of its own, and forget all cached prefixes.

        Raises ValueError for a checkpoint of another architecture; the engine then goes on as it was. An engine that
        sleeps is woken first.
        """
        ...

    def sleep(self) -> None:
        """Free the GPU's memory. Nothing happens on a CPU, or where the engine sleeps already."""
        ...

    def wake(self) -> None:
        """Take the GPU's memory back. Nothing happens where the engine does not sleep."""
        ...


def load_engine(name: str, model_path: str, settings: EngineSettings) -> Engine:
    """Load the policy at `model_path` into the engine called `name`: a module of this package."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    _require(name in names, "engine", name, ", ".join(names))
    return importlib.import_module(f"opsft.engines.{name}").load(model_path, settings)


def groups(requests: Sequence[Request], max_sequences: int) -> list[list[int]]:
    """Indices of `requests`, longest prompts first, cut into groups that have at most `max_sequences` samples in all.

    A request is never cut: one with more samples is a group of its own. Where all requests have equally many samples,
    the groups of some whole groups are those groups again.
    """
    cut: list[list[int]] = []
    room = 0
    for i in sorted(range(len(requests)), key=lambda i: -len(requests[i].prompt_ids)):
        if requests[i].samples > room:
            cut.append([])
            room = max_sequences
        cut[-1].append(i)
        room -= requests[i].samples
    return cut


def check_requests(requests: Sequence[Request], sampling: Sampling, context: int, vocabulary: int) -> None:
    """Raise ValueError for the first request that cannot be served: see the messages.

    `context` is in tokens of prompt plus response, `vocabulary` the number of token ids that the model knows.
    """
    longest = context - sampling.max_tokens
    for i, request in enumerate(requests):
        length = len(request.prompt_ids)
        if length == 0:
            raise ValueError(f"request {i}: the prompt is empty; one token or more is needed")
        if length > longest:
            raise ValueError(
                f"request {i}: a prompt of {length} tokens and max_tokens {sampling.max_tokens} exceed the context of "
                f"{context}; the prompt may have {max(longest, 0)} tokens at most"
            )
        if not 0 <= min(request.prompt_ids) <= max(request.prompt_ids) < vocabulary:
            raise ValueError(
                f"request {i}: token ids from {min(request.prompt_ids)} to {max(request.prompt_ids)} found; "
                f"the model knows 0 to {vocabulary - 1}"
            )
        if request.samples < 1:
            raise ValueError(f"request {i}: {request.samples} samples asked for; 1 or more is needed")
        if not 0 <= request.seed <= LARGEST_SEED - request.samples:
            raise ValueError(f"request {i}: seed {request.seed} found; 0 to 2**63 - 1 - samples is allowed")


def check_finite(logprob: float, request: int, sample: int) -> None:
    """Raise FloatingPointError where the log-probability of a completion shows that the model's logits are broken."""
    if not math.isfinite(logprob):
        raise FloatingPointError(f"request {request}, sample {sample}: log-probability {logprob}; it must be finite")


def _require(holds: bool, key: str, found: object, allowed: str) -> None:
    if not holds:
        raise ValueError(f"{key} {found!r} is not allowed: {allowed}")
