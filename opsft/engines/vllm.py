"""The `vllm` engine: vLLM's offline `LLM`, for GPUs, and for CPUs with a CPU build.

vLLM also stops at the EOS ids of the model's generation config: where `stop_token_ids` names them all, both engines
stop alike. Its random numbers are its own: the same seed gives the same tokens again, but not those of another engine.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from opsft.engines import Completion, EngineSettings, Progress, Request, Sampling, check_finite, check_requests

SLICE = 4096
"""Completions asked of vLLM at a time: progress is reported after each slice."""


def load(model_path: str, settings: EngineSettings) -> "VllmEngine":
    """Start vLLM on the model at `model_path`; raises ImportError where vLLM is not installed."""
    try:
        import vllm
        from vllm.platforms import current_platform
    except ImportError as error:
        raise ImportError(f"the vllm engine needs vLLM, which cannot be imported here: {error}") from error
    on_cpu = current_platform.is_cpu()
    built_for = "cpu" if on_cpu else "cuda"
    if settings.device not in ("auto", built_for):
        raise ValueError(f"device {settings.device!r} is not allowed: this vLLM was built for auto or {built_for}")
    dtype = settings.dtype
    if dtype == "auto":
        dtype = "float32" if on_cpu else "bfloat16"
    cache_mb = settings.kv_cache_memory_mb
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
    )
    return VllmEngine(llm, settings.context)


class VllmEngine:
    """Samples from a vLLM engine in this process or, as vLLM sees fit, in one of its own."""

    def __init__(self, llm: Any, context: int) -> None:
        self.llm = llm
        self.context = context

    def generate(self, requests: Sequence[Request], sampling: Sampling, progress: Progress) -> list[list[Completion]]:
        """See `opsft.engines.Engine`. Raises RuntimeError where vLLM gives up on a request."""
        check_requests(requests, sampling, self.context, self.llm.llm_engine.model_config.get_vocab_size())
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
        ignore_eos=False,
        logprobs=0,  # the sampled token's own, and no others
        detokenize=False,
    )


def _completion(sample: Any, request: int) -> Completion:
    if sample.finish_reason not in ("stop", "length"):
        raise RuntimeError(f"vLLM ended a response with {sample.finish_reason!r}; only stop and length are complete")
    check_finite(sample.cumulative_logprob, request, sample.index)
    return Completion(tuple(sample.token_ids), sample.finish_reason, sample.cumulative_logprob)
