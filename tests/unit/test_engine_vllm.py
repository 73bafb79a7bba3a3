"""The vllm engine against the transformers engine on a tiny random model in float32; a CPU build of vLLM will do."""

import importlib.util
import random

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from opsft.engines import EngineSettings, Request, Sampling, load_engine

VOCABULARY = 64
STOP = (2, 7)
CPU_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "TORCHDYNAMO_DISABLE": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_LOGGING_LEVEL": "WARNING",
}

needs_vllm = pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")


def sampling(**changes) -> Sampling:
    defaults = {"max_tokens": 24, "temperature": 1.0, "top_p": 1.0, "top_k": 0, "stop_token_ids": STOP}
    return Sampling(**(defaults | changes))


def ignore_progress(done: int, total: int, tokens: int) -> None:
    pass


def make_requests(count: int, samples: int) -> list[Request]:
    rng = random.Random(1)
    prompts = [tuple(rng.randrange(3, VOCABULARY) for _ in range(rng.randint(1, 20))) for _ in range(count)]
    return [Request(prompt, seed=100 * i, samples=samples) for i, prompt in enumerate(prompts)]


@pytest.fixture(scope="module")
def model_path(tmp_path_factory) -> str:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
        initializer_range=0.5,
        eos_token_id=STOP[0],
        pad_token_id=0,
    )
    path = tmp_path_factory.mktemp("models") / "tiny"
    Qwen2ForCausalLM(config).save_pretrained(path)
    return str(path)


@pytest.fixture(scope="module")
def settings() -> EngineSettings:
    return EngineSettings(context=96, max_sequences=64, dtype="float32", enforce_eager=True, kv_cache_memory_mb=32)


@pytest.fixture(scope="module")
def reference(model_path, settings):
    return load_engine("transformers", model_path, settings)


@pytest.fixture(scope="module")
def engine(model_path, settings):
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in CPU_ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        yield load_engine("vllm", model_path, settings)


@pytest.mark.vllm
@needs_vllm
def test_greedy_completions_equal_those_of_the_transformers_engine(engine, reference):
    requests = make_requests(16, samples=2)
    found = engine.generate(requests, sampling(temperature=0), ignore_progress)
    expected = reference.generate(requests, sampling(temperature=0), ignore_progress)
    reasons = set()
    for group, expected_group in zip(found, expected, strict=True):
        for completion, other in zip(group, expected_group, strict=True):
            assert completion.token_ids == other.token_ids
            assert completion.finish_reason == other.finish_reason
            assert completion.logprob == pytest.approx(other.logprob, abs=1e-4)
            reasons.add(completion.finish_reason)
    assert reasons == {"stop", "length"}


@pytest.mark.vllm
@needs_vllm
def test_logprob_is_that_of_a_teacher_forced_pass_at_temperature_one(engine, reference):
    [[completion]] = engine.generate(
        [Request((5, 6, 9), 3, 1)], sampling(temperature=0.5, top_p=0.8, top_k=20), ignore_progress
    )
    ids = torch.tensor([(5, 6, 9, *completion.token_ids)])
    with torch.inference_mode():
        logprobs = reference.model(ids).logits[0, :-1].double().log_softmax(-1)
    expected = logprobs.gather(-1, ids[0, 1:, None])[2:].sum()
    assert completion.logprob == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.vllm
@needs_vllm
def test_sample_k_is_the_one_of_seed_plus_k(engine):
    [group] = engine.generate([Request((5, 6, 9), 20, 5)], sampling(), ignore_progress)
    singles = engine.generate([Request((5, 6, 9), 20 + k, 1) for k in range(5)], sampling(), ignore_progress)
    assert [completion.token_ids for completion in group] == [single[0].token_ids for single in singles]
    assert len({completion.token_ids for completion in group}) == 5


@pytest.mark.vllm
@needs_vllm
def test_slices_keep_the_order_of_requests_and_report_progress(engine, monkeypatch):
    requests = make_requests(9, samples=3)
    expected = engine.generate(requests, sampling(), ignore_progress)
    monkeypatch.setattr("opsft.engines.vllm.SLICE", 7)
    calls = []
    found = engine.generate(requests, sampling(), lambda *call: calls.append(call))
    tokens = [[completion.token_ids for completion in group] for group in found]
    assert tokens == [[completion.token_ids for completion in group] for group in expected]
    assert [call[:2] for call in calls] == [(9, 27), (18, 27), (27, 27)]
    assert calls[-1][2] == sum(len(ids) for group in tokens for ids in group)


@pytest.mark.vllm
@needs_vllm
@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request((), 0, 1), "request 1: the prompt is empty"),
        (Request((5,) * 73, 0, 1), "request 1: a prompt of 73 tokens and max_tokens 24 exceed the context of 96"),
        (Request((5, 64), 0, 1), "request 1: token ids from 5 to 64 found; the model knows 0 to 63"),
        (Request((5,), 0, 0), "request 1: 0 samples asked for"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused(engine, request_, message):
    with pytest.raises(ValueError, match=message):
        engine.generate([Request((5,), 0, 1), request_], sampling(), ignore_progress)


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_missing_vllm_is_one_clear_error(model_path, settings):
    with pytest.raises(ImportError, match="the vllm engine needs vLLM, which cannot be imported here"):
        load_engine("vllm", model_path, settings)
