"""What the tests of the vllm engine share. In one process only one engine may live at a time."""

import importlib.util
import pathlib
import random

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from opsft.engines import EngineSettings, Request, Sampling, load_engine
from tests.rounding import per_token

VOCABULARY = 64
STOP = (2, 7)
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
    "initializer_range": 0.5,
    "eos_token_id": STOP[0],
    "pad_token_id": 0,
}
CPU_ENVIRONMENT = {
    "TORCHDYNAMO_DISABLE": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_LOGGING_LEVEL": "WARNING",
}

needs_vllm = pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")


def sampling(**changes) -> Sampling:
    defaults = {
        "max_tokens": 24,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "stop_token_ids": STOP,
        "logprobs": True,
    }
    return Sampling(**(defaults | changes))


def ignore_progress(done: int, total: int, tokens: int) -> None:
    pass


def make_requests(count: int, samples: int) -> list[Request]:
    rng = random.Random(1)
    prompts = [tuple(rng.randrange(3, VOCABULARY) for _ in range(rng.randint(1, 20))) for _ in range(count)]
    return [Request(prompt, seed=100 * i, samples=samples) for i, prompt in enumerate(prompts)]


def save_model(
    path: pathlib.Path, config_type=Qwen2Config, model_type=Qwen2ForCausalLM, seed: int = 0, **changes
) -> str:
    """A model with random weights; returns its path."""
    torch.manual_seed(seed)
    model_type(config_type(**(SHAPE | changes))).save_pretrained(path)
    return str(path)


def start(model_path: str, settings: EngineSettings, in_process: bool = True):
    """A vllm engine. In this process it starts in 3 seconds, in one of its own, as on a GPU, in 30."""
    environment = CPU_ENVIRONMENT | {"VLLM_ENABLE_V1_MULTIPROCESSING": str(1 - in_process)}
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return load_engine("vllm", model_path, settings)


def assert_same(found, expected) -> set[str]:
    """Equal tokens and finish reasons, and log-probabilities but for rounding; returns the finish reasons."""
    reasons = set()
    for group, expected_group in zip(found, expected, strict=True):
        for completion, other in zip(group, expected_group, strict=True):
            assert completion.token_ids == other.token_ids
            assert completion.finish_reason == other.finish_reason
            assert completion.logprob == pytest.approx(other.logprob, abs=len(other.token_ids) * per_token(SHAPE))
            reasons.add(completion.finish_reason)
    return reasons
