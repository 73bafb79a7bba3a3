"""The vllm engine against the transformers engine on a tiny random model in float32; a CPU build of vLLM will do."""

import json

import pytest
import torch

from opsft.engines import EngineSettings, Request, load_engine
from tests.rounding import per_token
from tests.unit.vllm_on_cpu import (
    SHAPE,
    STOP,
    assert_same,
    ignore_progress,
    make_requests,
    needs_vllm,
    sampling,
    save_model,
    start,
)

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def model_path(tmp_path_factory) -> str:
    return save_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def settings() -> EngineSettings:
    return EngineSettings(context=96, max_sequences=64, dtype="float32", enforce_eager=True, kv_cache_memory_mb=32)


@pytest.fixture(scope="module")
def reference(model_path, settings):
    return load_engine("transformers", model_path, settings)


@pytest.fixture(scope="module")
def engine(model_path, settings):
    return start(model_path, settings)


@needs_vllm
def test_greedy_completions_equal_those_of_the_transformers_engine(engine, reference):
    requests = make_requests(16, samples=2)
    found = engine.generate(requests, sampling(temperature=0), ignore_progress)
    expected = reference.generate(requests, sampling(temperature=0), ignore_progress)
    assert assert_same(found, expected) == {"stop", "length"}


@needs_vllm
def test_a_response_ends_with_the_ids_that_are_named_and_no_others(engine, reference):
    """The model's own EOS id is not among them."""
    requests = make_requests(16, samples=1)
    for stop_token_ids in ((), STOP[1:]):
        changes = {"temperature": 0, "stop_token_ids": stop_token_ids}
        expected = reference.generate(requests, sampling(**changes), ignore_progress)
        assert any(STOP[0] in completion.token_ids for [completion] in expected)
        assert_same(engine.generate(requests, sampling(**changes), ignore_progress), expected)


@needs_vllm
def test_no_logprobs_are_given_where_none_are_asked_for(engine):
    requests = make_requests(4, samples=2)
    without = engine.generate(requests, sampling(logprobs=False), ignore_progress)
    assert {completion.logprob for group in without for completion in group} == {None}
    expected = engine.generate(requests, sampling(), ignore_progress)
    tokens, expected_tokens = ([[c.token_ids for c in group] for group in part] for part in (without, expected))
    assert tokens == expected_tokens


@needs_vllm
def test_logprob_is_that_of_a_teacher_forced_pass_at_temperature_one(engine, reference):
    [[completion]] = engine.generate(
        [Request((5, 6, 9), 3, 1)], sampling(temperature=0.5, top_p=0.8, top_k=20), ignore_progress
    )
    ids = torch.tensor([(5, 6, 9, *completion.token_ids)])
    with torch.inference_mode():
        logprobs = reference.model(ids).logits[0, :-1].double().log_softmax(-1)
    expected = logprobs.gather(-1, ids[0, 1:, None])[2:].sum()
    assert completion.logprob == pytest.approx(float(expected), abs=len(completion.token_ids) * per_token(SHAPE))


@needs_vllm
def test_sample_k_is_the_one_of_seed_plus_k(engine):
    [group] = engine.generate([Request((5, 6, 9), 20, 5)], sampling(), ignore_progress)
    singles = engine.generate([Request((5, 6, 9), 20 + k, 1) for k in range(5)], sampling(), ignore_progress)
    assert [completion.token_ids for completion in group] == [single[0].token_ids for single in singles]
    assert len({completion.token_ids for completion in group}) == 5


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


@needs_vllm
def test_another_architecture_is_refused_and_the_engine_goes_on_as_it_was(engine, tmp_path):
    requests = make_requests(4, samples=1)
    before = engine.generate(requests, sampling(), ignore_progress)
    other = save_model(tmp_path / "other", num_key_value_heads=2)
    with pytest.raises(ValueError, match=r"other is not of the architecture .* num_key_value_heads 2 \(not 1\)$"):
        engine.load_weights(other)
    (tmp_path / "other" / "model.safetensors").unlink()
    (tmp_path / "other" / "config.json").write_text(json.dumps(engine.config.to_dict()))
    with pytest.raises(ValueError, match=r"other holds no model\.safetensors"):
        engine.load_weights(other)
    assert engine.generate(requests, sampling(), ignore_progress) == before
