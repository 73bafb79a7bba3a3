"""The `vllm` engine: vLLM's offline `LLM`, for GPUs, and for CPUs with a CPU build.

Its random numbers are its own: the same seed gives the same tokens again, but not those of another engine.
"""

import importlib.util
import os
from collections.abc import Iterator, Sequence
from typing import Any

from transformers import PreTrainedConfig

from opsft.checkpoint_files import read_headers, weight_files
from opsft.engines import Completion, EngineSettings, Progress, Request, Sampling, check_finite, check_requests
from opsft.engines._checkpoint import check_same_architecture
from opsft.engines._vllm_checks import check_free_memory, check_heads, check_only_weights, check_platform
from opsft.engines._vllm_worker import PolicyLoader
from opsft.pretrained import check_context, read_config

SLICE = 4096
"""Completions asked of vLLM at a time: progress is reported after each slice."""


def load(model_path: str, settings: EngineSettings) -> "VllmEngine":
    """Start vLLM on the model at `model_path`.

    Raises ValueError, before the engine starts, where the model cannot run as asked, and ImportError where vLLM is not
    installed.
    """
    config = read_config(model_path, settings.trust_remote_code)
    check_context(config, settings.context, model_path)
    check_heads(config, settings.tensor_parallel, model_path)
    set_environment()
    try:
        import vllm
        from vllm.platforms import current_platform
    except ImportError as error:
        raise ImportError(f"the vllm engine needs vLLM, which cannot be imported here: {error}") from error
    on_cpu = current_platform.is_cpu()
    dtype = settings.dtype
    if dtype == "auto":
        dtype = "float32" if on_cpu else "bfloat16"
    check_platform(current_platform, config, settings, dtype)
    read_headers(model_path)
    check_only_weights(model_path)
    cache_mb = settings.kv_cache_memory_mb
    try:
        llm = vllm.LLM(
            model=model_path,
            skip_tokenizer_init=True,
            load_format="safetensors",
            dtype=dtype,
            trust_remote_code=settings.trust_remote_code,
            max_model_len=settings.context,
            max_num_seqs=settings.max_sequences,
            gpu_memory_utilization=settings.gpu_memory_utilization,
            tensor_parallel_size=settings.tensor_parallel,
            enforce_eager=settings.enforce_eager,
            kv_cache_memory_bytes=None if cache_mb is None else cache_mb << 20,
            enable_sleep_mode=not on_cpu,
            worker_extension_cls=f"{PolicyLoader.__module__}.{PolicyLoader.__qualname__}",
        )
    except (RuntimeError, ValueError):
        if not on_cpu:
            check_free_memory(settings)
        raise
    return VllmEngine(llm, config, settings, can_sleep=not on_cpu)


def set_environment() -> None:
    """Settings that vLLM takes from the environment alone, each where the user has not set it."""
    wanted = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if importlib.util.find_spec("flashinfer") is None:
        wanted["VLLM_USE_FLASHINFER_SAMPLER"] = "0"
    for name, value in wanted.items():
        os.environ.setdefault(name, value)


class VllmEngine:
    """Samples from a vLLM engine in this process or, as vLLM sees fit, in one of its own."""

    def __init__(self, llm: Any, config: PreTrainedConfig, settings: EngineSettings, can_sleep: bool) -> None:
        self.llm = llm
        self.config = config
        self.context = settings.context
        self.trust_remote_code = settings.trust_remote_code
        self.can_sleep = can_sleep
        self.sleeps = False

    def load_weights(self, model_path: str) -> None:
        """See `opsft.engines.Engine`."""
        check_same_architecture(self.config, read_config(model_path, self.trust_remote_code), model_path)
        read_headers(model_path)
        files = [str(file) for file in weight_files(model_path)]
        self.wake()
        self.llm.collective_rpc("load_policy", args=(files, self.config.get_text_config().tie_word_embeddings))
        self.llm.reset_prefix_cache()

    def sleep(self) -> None:
        """See `opsft.engines.Engine`. The weights wait in the machine's memory; the key-value cache is dropped."""
        if self.can_sleep and not self.sleeps:
            self.llm.sleep(level=1)
            self.sleeps = True

    def wake(self) -> None:
        """See `opsft.engines.Engine`."""
        if self.sleeps:
            self.llm.wake_up()
            self.sleeps = False

    def generate(self, requests: Sequence[Request], sampling: Sampling, progress: Progress) -> list[list[Completion]]:
        """See `opsft.engines.Engine`. Raises RuntimeError where vLLM gives up on a request."""
        check_requests(requests, sampling, self.context, self.llm.llm_engine.model_config.get_vocab_size())
        self.wake()
        # What was sampled before must leave no trace: cached prefixes were computed in other batches.
        self.llm.reset_prefix_cache()
        total = sum(request.samples for request in requests)
        done, sampled = 0, 0
        completions: list[list[Completion]] = []
        for part in _slices(requests):
            outputs = self.llm.generate(
                [{"prompt_token_ids": list(request.prompt_ids)} for request in part],
                [_sampling_params(request, sampling) for request in part],
                use_tqdm=False,
            )
            for request, output in zip(part, outputs, strict=True):
                ordered = sorted(output.outputs, key=lambda sample: sample.index)
                answers = [_completion(sample, len(completions)) for sample in ordered]
                completions.append(answers if sampling.temperature > 0 else answers * request.samples)
                done += request.samples
                sampled += sum(len(completion.token_ids) for completion in completions[-1])
            progress(done, total, sampled)
        return completions


def _slices(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """The requests in order, in runs that make up `SLICE` completions."""
    part: list[Request] = []
    size = 0
    for request in requests:
        part.append(request)
        size += request.samples
        if size >= SLICE:
            yield part
            part, size = [], 0
    if part:
        yield part


def _sampling_params(request: Request, sampling: Sampling) -> Any:
    """vLLM's parameters for one request. It refuses several greedy samples, which are equal: one is enough."""
    from vllm import SamplingParams

    return SamplingParams(
        n=request.samples if sampling.temperature > 0 else 1,
        seed=request.seed,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        max_tokens=sampling.max_tokens,
        stop_token_ids=list(sampling.stop_token_ids),
        ignore_eos=True,  # a response ends with the ids that the caller names, and no others
        logprobs=0 if sampling.logprobs else None,  # 0: the sampled token's own, and no others
        detokenize=False,
    )


def _completion(sample: Any, request: int) -> Completion:
    if sample.finish_reason not in ("stop", "length"):
        raise RuntimeError(f"vLLM ended a response with {sample.finish_reason!r}; only stop and length are complete")
    if sample.cumulative_logprob is not None:
        check_finite(sample.cumulative_logprob, request, sample.index)
    return Completion(tuple(sample.token_ids), sample.finish_reason, sample.cumulative_logprob)
