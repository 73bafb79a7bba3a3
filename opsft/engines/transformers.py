"""The `transformers` engine: a decode loop of its own, for CPUs and GPUs.

It serves any causal language model that `transformers` can load, from safetensors. Requests are decoded group by group
(see `opsft.engines.groups`), longest prompts first: a batch that does not fit fails at once. A prompt is read once for all
its samples in a batch, and sequences that have finished leave the batch. What a request gets depends on its own prompt
and seed alone, up to the rounding of the model's matrix products, which may vary with the shape of the batch: in
float32 that is next to nothing, in bfloat16 it is enough to change a token now and then. Within the same group it gets
the same bits, whatever other groups there are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from transformers import PreTrainedModel

from opsft.decodable import check_decodable
from opsft.engines import (
    Completion,
    EngineSettings,
    Progress,
    Request,
    Sampling,
    check_finite,
    check_requests,
    groups,
)
from opsft.engines._cache import cache_argument, growing_cache
from opsft.engines._checkpoint import check_same_architecture
from opsft.engines._sampling import draw
from opsft.pretrained import check_context, load_model, read_config

PREFILL_TOKENS = 16384
"""Prompt tokens, padding included, that pass through the model at a time: bounds the memory of reading prompts."""

COMPACT_AT = 0.75
"""Finished sequences leave the batch when at most this share of it is still running: each time costs a copy."""


def load(model_path: str, settings: EngineSettings) -> "TransformersEngine":
    """Load the model at `model_path`; raises ValueError, before its weights are read, where it cannot run as asked."""
    config = read_config(model_path, settings.trust_remote_code)
    check_context(config, settings.context, model_path)
    check_decodable(config, model_path)
    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    _check_device(device)
    dtype = settings.dtype
    if dtype == "auto":
        dtype = "float32" if device == "cpu" else "bfloat16"
    _check_dtype(dtype, device)
    return TransformersEngine(model_path, settings, device, dtype)


def _check_device(device: str) -> None:
    visible = torch.cuda.device_count()
    if device != "cpu" and (torch.device(device).index or 0) >= visible:
        raise ValueError(f"device {device!r} is not allowed: torch sees {visible} GPUs here; cpu or auto run anywhere")


def _check_dtype(dtype: str, device: str) -> None:
    if dtype == "bfloat16" and device != "cpu":
        with torch.cuda.device(device):
            if not torch.cuda.is_bf16_supported(including_emulation=False):
                raise ValueError(f"dtype {dtype!r} is not allowed: this GPU has no bfloat16; allowed: float16, float32")


class TransformersEngine:
    """Samples from a `transformers` model on one device."""

    def __init__(self, model_path: str, settings: EngineSettings, device: str, dtype: str) -> None:
        self.trust_remote_code = settings.trust_remote_code
        self.context = settings.context
        self.max_sequences = settings.max_sequences
        self.device = device
        self.dtype = dtype
        self.config = read_config(model_path, self.trust_remote_code)
        self.model = self._read_model(model_path).to(device).eval()

    def _read_model(self, model_path: str) -> PreTrainedModel:
        return load_model(model_path, self.dtype, self.trust_remote_code)

    def load_weights(self, model_path: str) -> None:
        """See `opsft.engines.Engine`."""
        check_same_architecture(self.config, read_config(model_path, self.trust_remote_code), model_path)
        self.wake()
        self.model.load_state_dict(self._read_model(model_path).state_dict())

    def sleep(self) -> None:
        """See `opsft.engines.Engine`."""
        if self.device != "cpu":
            self.model.to("cpu")
            torch.cuda.empty_cache()

    def wake(self) -> None:
        """See `opsft.engines.Engine`."""
        self.model.to(self.device)

    @torch.inference_mode()
    def generate(self, requests: Sequence[Request], sampling: Sampling, progress: Progress) -> list[list[Completion]]:
        """See `opsft.engines.Engine`."""
        check_requests(requests, sampling, self.context, self.model.config.get_text_config().vocab_size)
        self.wake()
        completions: list[list[Completion]] = [[] for _ in requests]
        total = sum(request.samples for request in requests)
        done, sampled = 0, 0
        for batch in _batches(requests, self.max_sequences):
            for responses in self._decode(requests, batch, sampling):
                progress(done + responses.done, total, sampled + responses.sampled)
            for (i, _), completion in zip(batch, responses.completions(batch), strict=True):
                completions[i].append(completion if sampling.logprobs else replace(completion, logprob=None))
            done, sampled = done + responses.done, sampled + responses.sampled
        return completions

    def _decode(
        self, requests: Sequence[Request], batch: list[tuple[int, int]], sampling: Sampling
    ) -> Iterator["Responses"]:
        """Decode the (request, sample) pairs of `batch`; yields their responses so far after every step."""
        device = self.model.device
        uniforms = _uniforms([requests[i].seed + k for i, k in batch], sampling.max_tokens).to(device)
        row_of = {i: row for row, i in enumerate(dict.fromkeys(i for i, _ in batch))}
        window = Window(self.model, [requests[i].prompt_ids for i in row_of], sampling.max_tokens)
        responses = Responses(len(batch), sampling, device)

        rows = torch.tensor([row_of[i] for i, _ in batch], device=device)
        logits = window.read_prompts()[rows]
        window.select(rows)
        active = torch.arange(len(batch), device=device)  # the rows of the batch that are still in the window
        for step in range(sampling.max_tokens):
            tokens, logprobs = draw(logits, uniforms[step, active], sampling)
            running = responses.record(active, step, tokens, logprobs)
            yield responses
            if responses.running == 0:
                break
            if responses.running <= COMPACT_AT * len(active):
                rows = running.nonzero()[:, 0]
                window.select(rows)
                active, tokens = active[rows], tokens[rows]
            logits = window.extend(tokens)


def _batches(requests: Sequence[Request], max_sequences: int) -> Iterator[list[tuple[int, int]]]:
    """The (request, sample) pairs that are decoded together: a group, or a part of one that is too large."""
    for group in groups(requests, max_sequences):
        pairs = [(i, k) for i in group for k in range(requests[i].samples)]
        for start in range(0, len(pairs), max_sequences):
            yield pairs[start : start + max_sequences]


class Window:
    """What the model sees of a batch: the tokens of each row as keys and values, and which columns are padding.

    Prompts are padded on the left, so the newest token of every row is in the last column.
    """

    def __init__(self, model: PreTrainedModel, prompts: list[tuple[int, ...]], max_tokens: int) -> None:
        self.model = model
        self.cache = growing_cache(model.config)
        self.cache_argument = cache_argument(model)
        self.width = max(map(len, prompts))
        padded = [[0] * (self.width - len(prompt)) + list(prompt) for prompt in prompts]
        self.prompt_ids = torch.tensor(padded, device=model.device)
        self.lengths = torch.tensor([len(prompt) for prompt in prompts], device=model.device)
        # Columns behind the prompts hold response tokens, and every row of the window has one in each.
        columns = torch.arange(self.width + max_tokens, device=model.device)
        self.mask = columns >= (self.width - self.lengths)[:, None]

    def read_prompts(self) -> torch.Tensor:
        """The logits (rows, vocabulary) of the first response token."""
        columns = max(1, PREFILL_TOKENS // len(self.prompt_ids))
        positions = (self.mask[:, : self.width].cumsum(dim=-1) - 1).clamp_(min=0)
        for start in range(0, self.width, columns):
            stop = min(start + columns, self.width)
            logits = self._forward(self.prompt_ids[:, start:stop], positions[:, start:stop], stop)
        return logits

    def extend(self, tokens: torch.Tensor) -> torch.Tensor:
        """Append a token (rows) to each row; returns the logits (rows, vocabulary) of the next one."""
        positions = self.lengths[:, None]
        self.width, self.lengths = self.width + 1, self.lengths + 1
        return self._forward(tokens[:, None], positions, self.width)

    def select(self, rows: torch.Tensor) -> None:
        """Keep `rows`, in their order and repeated as often as they are named."""
        self.cache.batch_select_indices(rows)
        self.mask, self.lengths = self.mask[rows], self.lengths[rows]

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, width: int) -> torch.Tensor:
        outputs = self.model(
            input_ids=ids,
            attention_mask=self.mask[:, :width],
            position_ids=positions,
            use_cache=True,
            logits_to_keep=1,
            **{self.cache_argument: self.cache},
        )
        return outputs.logits[:, -1]


class Responses:
    """What has been sampled for each row of a batch: `done` rows have finished, `running` have not."""

    def __init__(self, rows: int, sampling: Sampling, device: torch.device) -> None:
        self.tokens = torch.zeros(rows, sampling.max_tokens, dtype=torch.int64, device=device)
        self.lengths = torch.zeros(rows, dtype=torch.int64, device=device)
        self.logprobs = torch.zeros(rows, dtype=torch.float64, device=device)
        self.stopped = torch.zeros(rows, dtype=torch.bool, device=device)
        self.stop_ids = torch.tensor(sampling.stop_token_ids, dtype=torch.int64, device=device)
        self.done, self.running, self.sampled = 0, rows, 0

    def record(self, active: torch.Tensor, step: int, tokens: torch.Tensor, logprobs: torch.Tensor) -> torch.Tensor:
        """Note the tokens that the rows `active` got at `step`; returns which of these rows go on.

        Rows that had finished before may be among them: what they got is ignored.
        """
        counted = ~self.stopped[active]
        self.tokens[active, step] = tokens
        self.lengths[active] += counted
        self.logprobs[active] += logprobs.where(counted, 0)
        self.stopped[active] |= torch.isin(tokens, self.stop_ids)
        self.sampled += self.running
        going_on = ~self.stopped[active] if step + 1 < self.tokens.shape[1] else torch.zeros_like(counted)
        self.running = int(going_on.sum())
        self.done = len(self.tokens) - self.running
        return going_on

    def completions(self, batch: list[tuple[int, int]]) -> list[Completion]:
        """The finished responses, in the order of the (request, sample) pairs of `batch`."""
        columns = (self.tokens, self.lengths, self.stopped, self.logprobs)
        rows = zip(batch, *(column.cpu().numpy() for column in columns), strict=True)
        return [_completion(pair, *row) for pair, *row in rows]


def _completion(
    pair: tuple[int, int], tokens: np.ndarray, length: np.int64, stopped: np.bool_, logprob: np.float64
) -> Completion:
    check_finite(float(logprob), *pair)
    return Completion(tuple(tokens[:length].tolist()), "stop" if stopped else "length", float(logprob))


def _uniforms(seeds: list[int], count: int) -> torch.Tensor:
    """One column of `count` numbers in [0, 1) for each seed: float64 (count, seeds)."""
    return torch.from_numpy(np.stack([np.random.default_rng(seed).random(count) for seed in seeds], axis=1))
