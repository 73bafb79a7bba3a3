"""The engines' contract, and the transformers engine on a tiny random model."""

import gc
import itertools
import json
import math
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

from opsft.engines import EngineSettings, Request, Sampling, check_finite, groups, load_engine
from opsft.engines import transformers as transformers_engine
from opsft.engines._cache import Buffer
from opsft.engines._sampling import draw, truncated_softmax
from tests.rounding import gamma, per_token

VOCABULARY = 64
CONTEXT = 96
STOP = (2, 7)


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


SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 128,
    "initializer_range": 0.5,
    "eos_token_id": STOP[0],
    "pad_token_id": 0,
}


def save_model(path, seed: int = 0, **changes) -> str:
    """A Qwen2 with random weights; returns its path."""
    torch.manual_seed(seed)
    Qwen2ForCausalLM(Qwen2Config(**(SHAPE | changes))).save_pretrained(path)
    return str(path)


@pytest.fixture(scope="module")
def model_path(tmp_path_factory) -> str:
    return save_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def engine(model_path):
    return load_engine("transformers", model_path, EngineSettings(context=CONTEXT, max_sequences=64, device="cpu"))


@pytest.fixture(scope="module")
def reference(model_path):
    return AutoModelForCausalLM.from_pretrained(model_path).eval()


def make_requests(count: int, samples: int = 3) -> list[Request]:
    rng = random.Random(1)
    prompts = [tuple(rng.randrange(3, VOCABULARY) for _ in range(rng.randint(1, 20))) for _ in range(count)]
    return [Request(prompt, seed=100 * i, samples=samples) for i, prompt in enumerate(prompts)]


def tokens_of(completions) -> list[list[tuple[int, ...]]]:
    return [[completion.token_ids for completion in group] for group in completions]


def flat(completions) -> list:
    return list(itertools.chain.from_iterable(completions))


# What a request gets


def test_result_of_a_request_does_not_depend_on_its_batch(engine):
    requests = make_requests(8)
    together = engine.generate(requests, sampling(), ignore_progress)
    alone = [engine.generate([request], sampling(), ignore_progress)[0] for request in requests]
    assert tokens_of(together) == tokens_of(alone)
    for a, b in zip(flat(together), flat(alone), strict=True):
        assert a.finish_reason == b.finish_reason
        assert a.logprob == pytest.approx(b.logprob, abs=len(a.token_ids) * per_token(SHAPE))


@pytest.mark.parametrize("max_sequences", [1, 5, 64])
def test_result_does_not_depend_on_max_sequences(model_path, engine, max_sequences):
    settings = EngineSettings(context=CONTEXT, max_sequences=max_sequences, device="cpu")
    other = load_engine("transformers", model_path, settings)
    requests = make_requests(4, samples=3)
    expected = engine.generate(requests, sampling(), ignore_progress)
    assert tokens_of(other.generate(requests, sampling(), ignore_progress)) == tokens_of(expected)


def test_result_does_not_depend_on_the_order_of_requests(engine):
    requests = make_requests(9)
    forwards = engine.generate(requests, sampling(), ignore_progress)
    backwards = engine.generate(requests[::-1], sampling(), ignore_progress)
    assert tokens_of(backwards[::-1]) == tokens_of(forwards)


def test_result_does_not_depend_on_how_much_of_a_prompt_is_read_at_a_time(engine, monkeypatch):
    requests = make_requests(9)
    expected = engine.generate(requests, sampling(), ignore_progress)
    monkeypatch.setattr(transformers_engine, "PREFILL_TOKENS", 30)
    assert tokens_of(engine.generate(requests, sampling(), ignore_progress)) == tokens_of(expected)


def test_same_seed_gives_the_same_tokens_and_another_seed_others(engine):
    prompt = (5, 6, 9)
    requests = [Request(prompt, seed, 4) for seed in (11, 11, 50)]
    first, again, other = engine.generate(requests, sampling(), ignore_progress)
    # Rows of one batch may be summed in another order: the tokens are the same, the log-probabilities to within rounding.
    assert tokens_of([first]) == tokens_of([again])
    assert [c.logprob for c in first] == pytest.approx([c.logprob for c in again], abs=24 * per_token(SHAPE))
    assert tokens_of([first]) != tokens_of([other])
    assert len({c.token_ids for c in first}) == 4


def test_the_same_call_gives_the_same_bits(engine):
    requests = [Request((5, 6, 9), seed, 4) for seed in (11, 50)]
    assert engine.generate(requests, sampling(), ignore_progress) == engine.generate(
        requests, sampling(), ignore_progress
    )


def test_sample_k_is_the_one_of_seed_plus_k(engine):
    prompt = (5, 6, 9)
    [group] = engine.generate([Request(prompt, 20, 5)], sampling(), ignore_progress)
    singles = engine.generate([Request(prompt, 20 + k, 1) for k in range(5)], sampling(), ignore_progress)
    assert tokens_of([group]) == [[single[0].token_ids for single in singles]]


def test_greedy_equals_generate_of_transformers(engine, reference):
    requests = make_requests(8, samples=2)
    for request, group in zip(
        requests, engine.generate(requests, sampling(temperature=0), ignore_progress), strict=True
    ):
        ids = torch.tensor([request.prompt_ids])
        expected = reference.generate(ids, do_sample=False, max_new_tokens=24, eos_token_id=list(STOP))
        assert group[0] == group[1]
        assert group[0].token_ids == tuple(expected[0, ids.shape[1] :].tolist())


@pytest.mark.parametrize("changes", [{}, {"temperature": 0.5}, {"top_p": 0.8, "top_k": 20}, {"temperature": 0}])
def test_logprob_is_that_of_a_teacher_forced_pass_at_temperature_one(engine, reference, changes):
    requests = make_requests(8, samples=2)
    for request, group in zip(requests, engine.generate(requests, sampling(**changes), ignore_progress), strict=True):
        for completion in group:
            ids = torch.tensor([request.prompt_ids + completion.token_ids])
            with torch.inference_mode():
                logprobs = reference(ids).logits[0, :-1].double().log_softmax(-1)
            expected = logprobs.gather(-1, ids[0, 1:, None])[len(request.prompt_ids) - 1 :].sum()
            rounding = len(completion.token_ids) * per_token(SHAPE)
            assert completion.logprob == pytest.approx(float(expected), abs=rounding)


def test_responses_end_with_the_first_stop_token_or_at_max_tokens(engine):
    completions = flat(engine.generate(make_requests(40, samples=4), sampling(), ignore_progress))
    assert {completion.finish_reason for completion in completions} == {"stop", "length"}
    for completion in completions:
        *body, last = completion.token_ids
        assert not set(body) & set(STOP)
        if completion.finish_reason == "stop":
            assert last in STOP
        else:
            assert last not in STOP
            assert len(completion.token_ids) == 24


def test_a_stop_token_in_the_last_place_is_a_stop(engine):
    [[whole]] = engine.generate([Request((5, 6), 3, 1)], sampling(stop_token_ids=()), ignore_progress)
    place = 1 + whole.token_ids[1:].index(next(t for t in whole.token_ids[1:] if t != whole.token_ids[0]))
    changes = {"max_tokens": place + 1, "stop_token_ids": (whole.token_ids[place],)}
    [[cut]] = engine.generate([Request((5, 6), 3, 1)], sampling(**changes), ignore_progress)
    assert cut.token_ids == whole.token_ids[: place + 1]
    assert cut.finish_reason == "stop"


def test_no_requests_give_no_completions(engine):
    assert engine.generate([], sampling(), ignore_progress) == []


def test_progress_grows_to_the_totals(model_path):
    engine = load_engine("transformers", model_path, EngineSettings(context=CONTEXT, max_sequences=5, device="cpu"))
    calls = []
    completions = flat(engine.generate(make_requests(6), sampling(), lambda *call: calls.append(call)))
    assert calls[-1] == (18, 18, sum(len(completion.token_ids) for completion in completions))
    for earlier, later in itertools.pairwise(calls):
        assert all(a <= b for a, b in zip(earlier, later, strict=True))


def test_no_logprobs_are_given_where_none_are_asked_for(engine):
    requests = make_requests(4)
    without = engine.generate(requests, sampling(logprobs=False), ignore_progress)
    assert {completion.logprob for completion in flat(without)} == {None}
    assert tokens_of(without) == tokens_of(engine.generate(requests, sampling(), ignore_progress))


# Which requests are decoded together


def lengths_and_samples(*pairs: tuple[int, int]) -> list[Request]:
    return [Request((5,) * length, seed=0, samples=samples) for length, samples in pairs]


def test_groups_hold_whole_requests_longest_first_and_equally_long_ones_in_order():
    requests = lengths_and_samples((3, 2), (9, 2), (3, 2), (7, 2), (9, 2))
    assert groups(requests, max_sequences=4) == [[1, 4], [3, 0], [2]]
    assert groups(requests, max_sequences=5) == [[1, 4], [3, 0], [2]]
    assert groups(requests, max_sequences=100) == [[1, 4, 3, 0, 2]]


def test_a_request_with_too_many_samples_is_a_group_of_its_own():
    assert groups(lengths_and_samples((9, 1), (8, 5), (7, 1), (6, 2)), max_sequences=3) == [[0], [1], [2, 3]]
    assert groups([], max_sequences=3) == []


@pytest.mark.parametrize("shards", [1, 2, 3, 4])
@pytest.mark.parametrize("max_sequences", [2, 7])
def test_whole_groups_get_the_same_bits_without_the_others(model_path, shards, max_sequences):
    settings = EngineSettings(context=CONTEXT, max_sequences=max_sequences, device="cpu")
    engine = load_engine("transformers", model_path, settings)
    requests = make_requests(11, samples=3)
    together = engine.generate(requests, sampling(), ignore_progress)
    for shard in range(shards):
        members = sorted(i for group in groups(requests, max_sequences)[shard::shards] for i in group)
        alone = engine.generate([requests[i] for i in members], sampling(), ignore_progress)
        assert alone == [together[i] for i in members]


# Other weights, and sleep


def test_reloaded_weights_give_what_a_fresh_engine_gives(model_path, tmp_path):
    for tied in (False, True):
        first, second = (save_model(tmp_path / f"{tied}{i}", seed=i, tie_word_embeddings=tied) for i in (0, 1))
        settings = EngineSettings(context=CONTEXT, device="cpu")
        engine, fresh = (load_engine("transformers", path, settings) for path in (first, second))
        requests = make_requests(4)
        before = engine.generate(requests, sampling(), ignore_progress)
        engine.load_weights(second)
        after = engine.generate(requests, sampling(), ignore_progress)
        assert after == fresh.generate(requests, sampling(), ignore_progress)
        assert after != before


def test_another_architecture_is_refused_and_the_engine_goes_on_as_it_was(model_path, tmp_path):
    engine = load_engine("transformers", model_path, EngineSettings(context=CONTEXT, device="cpu"))
    before = engine.generate(make_requests(2), sampling(), ignore_progress)
    other = save_model(tmp_path / "other", num_key_value_heads=2)
    with pytest.raises(ValueError, match=r"other is not of the architecture .* num_key_value_heads 2 \(not 1\)$"):
        engine.load_weights(other)
    assert engine.generate(make_requests(2), sampling(), ignore_progress) == before


HUB_STYLE = {
    "architectures": ["Qwen2ForCausalLM"],
    "attention_dropout": 0.0,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.5,
    "intermediate_size": 96,
    "max_position_embeddings": 128,
    "max_window_layers": 2,
    "model_type": "qwen2",
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 1,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 128,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.43.1",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 64,
}
"""A configuration as transformers 4 wrote it, and as most models on the Hub have it."""


def test_a_policy_may_be_saved_by_another_version_of_transformers_than_its_base_model(model_path, tmp_path):
    base, policy = tmp_path / "base", tmp_path / "policy"
    shutil.copytree(model_path, base)
    (base / "config.json").write_text(json.dumps(HUB_STYLE))
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).save_pretrained(policy)
    settings = EngineSettings(context=CONTEXT, device="cpu")
    engine = load_engine("transformers", str(base), settings)
    expected = engine.generate(make_requests(2), sampling(), ignore_progress)
    engine.load_weights(str(policy))
    assert engine.generate(make_requests(2), sampling(), ignore_progress) == expected


def test_sleep_and_wake_change_nothing_on_a_cpu(engine):
    before = engine.generate(make_requests(2), sampling(), ignore_progress)
    engine.sleep()
    engine.sleep()
    assert engine.generate(make_requests(2), sampling(), ignore_progress) == before
    engine.wake()
    engine.wake()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_sleeping_engine_holds_no_gpu_memory_and_is_woken_by_what_needs_it(model_path):
    def likeliest() -> float:
        # The last bits of a log-probability vary on a GPU with what its libraries have kept, and sampled tokens with them.
        greedy = sampling(temperature=0.0, max_tokens=1)
        [[completion]] = engine.generate(make_requests(1, samples=1), greedy, ignore_progress)
        return completion.logprob

    settings = EngineSettings(context=CONTEXT, dtype="float32", device="cuda")
    engine = load_engine("transformers", model_path, settings)
    before = likeliest()
    # What cuBLAS works in stays with the process.
    del engine
    gc.collect()
    empty = torch.cuda.memory_allocated()
    engine = load_engine("transformers", model_path, settings)
    assert torch.cuda.memory_allocated() > empty
    assert likeliest() == pytest.approx(before, abs=per_token(SHAPE))
    engine.sleep()
    assert torch.cuda.memory_allocated() == empty
    assert likeliest() == pytest.approx(before, abs=per_token(SHAPE))
    engine.sleep()
    engine.load_weights(model_path)
    assert torch.cuda.memory_allocated() > empty
    assert likeliest() == pytest.approx(before, abs=per_token(SHAPE))


# Which tokens are drawn


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_first_tokens_have_the_frequencies_of_the_softmax(engine, reference, temperature):
    prompt, draws = (5, 6, 9), 8192
    changes = {"max_tokens": 1, "temperature": temperature}
    [group] = engine.generate([Request(prompt, 0, draws)], sampling(**changes), ignore_progress)
    with torch.inference_mode():
        logits = reference(torch.tensor([prompt])).logits[0, -1].double()
    expected = draws * torch.softmax(logits / temperature, -1).numpy()
    observed = np.bincount([completion.token_ids[0] for completion in group], minlength=VOCABULARY)
    common = expected >= 5
    cells_observed = np.append(observed[common], observed[~common].sum())
    cells_expected = np.append(expected[common], expected[~common].sum())
    chi_square = ((cells_observed - cells_expected) ** 2 / cells_expected).sum()
    freedom = len(cells_expected) - 1
    # A chi-square has mean `freedom` and variance 2 * `freedom`; four deviations are left to chance.
    assert chi_square < freedom + 4 * math.sqrt(2 * freedom)


def test_inverse_cdf_gives_the_token_whose_interval_holds_the_uniform():
    logits = torch.tensor([[0.5, 0.25, 0.0, 0.25]]).log().expand(5, 4)  # edges at 0.5, 0.75, 0.75 and 1
    uniforms = torch.tensor([0.0, 0.49, 0.51, 0.76, 1 - 2**-53], dtype=torch.float64)
    tokens, logprobs = draw(logits, uniforms, sampling())
    assert tokens.tolist() == [0, 0, 1, 3, 3]
    assert logprobs.tolist() == pytest.approx([math.log(p) for p in (0.5, 0.5, 0.25, 0.25, 0.25)])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [0.1, 0.4, 0.2, 0.3]),
        ({"top_k": 2}, [0, 0.4, 0, 0.3]),
        ({"top_p": 0.65}, [0, 0.4, 0, 0.3]),
        ({"top_p": 0.75}, [0, 0.4, 0.2, 0.3]),
        ({"top_p": 0.01}, [0, 0.4, 0, 0]),
        ({"top_k": 3, "top_p": 0.7}, [0, 0.4, 0, 0.3]),  # 0.7 of the 0.9 that top-k leaves is 0.63
        ({"temperature": 0.5}, [1 / 30, 16 / 30, 4 / 30, 9 / 30]),  # squares, made to sum to 1
    ],
)
def test_truncation_keeps_the_nucleus(changes, expected):
    logits = torch.tensor([[0.1, 0.4, 0.2, 0.3]]).log()
    assert truncated_softmax(logits, sampling(**changes))[0].tolist() == pytest.approx(expected, abs=gamma(10))


def test_top_p_never_yields_a_token_outside_the_nucleus(engine, reference):
    prompt = (5, 6, 9)
    [group] = engine.generate([Request(prompt, 0, 4000)], sampling(max_tokens=1, top_p=0.6), ignore_progress)
    with torch.inference_mode():
        probabilities = torch.softmax(reference(torch.tensor([prompt])).logits[0, -1].double(), -1)
    nucleus, mass = set(), 0.0
    for token in probabilities.argsort(descending=True).tolist():
        if mass < 0.6:
            nucleus.add(token)
            mass += float(probabilities[token])
    assert {completion.token_ids[0] for completion in group} == nucleus


def test_draw_does_not_depend_on_how_many_logits_are_handled_at_a_time(monkeypatch):
    logits = torch.randn(7, 30, generator=torch.Generator().manual_seed(0))
    uniforms = torch.rand(7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    tokens, logprobs = draw(logits, uniforms, sampling(top_p=0.9))
    monkeypatch.setattr("opsft.engines._sampling.SLICE", 65)
    sliced_tokens, sliced_logprobs = draw(logits, uniforms, sampling(top_p=0.9))
    assert tokens.tolist() == sliced_tokens.tolist()
    assert logprobs.tolist() == pytest.approx(sliced_logprobs.tolist(), abs=gamma(30))


def test_buffer_equals_concatenation_and_indexing():
    generator = torch.Generator().manual_seed(0)
    buffer, expected = Buffer(), torch.empty(4, 2, 0, 3)
    for step, tokens in enumerate([5, 1, 70, 1, 1, 64, 1]):
        states = torch.randn(expected.shape[0], 2, tokens, 3, generator=generator)
        expected = torch.cat([expected, states], dim=2)
        assert torch.equal(buffer.append(states), expected)
        if step in (1, 4):
            rows = torch.tensor([3, 0, 0, 2, 1])[step // 2 :]
            expected = expected[rows]
            assert torch.equal(buffer.select(rows), expected)


# Refusals


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request((), 0, 1), "request 1: the prompt is empty"),
        (Request((5,) * 73, 0, 1), "request 1: a prompt of 73 tokens and max_tokens 24 exceed the context of 96"),
        (Request((5, 64), 0, 1), "request 1: token ids from 5 to 64 found; the model knows 0 to 63"),
        (Request((5, -1), 0, 1), "request 1: token ids from -1 to 5 found"),
        (Request((5,), 0, 0), "request 1: 0 samples asked for"),
        (Request((5,), -1, 1), "request 1: seed -1 found"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_before_sampling(engine, request_, message):
    calls = []
    with pytest.raises(ValueError, match=message):
        engine.generate([Request((5,), 0, 1), request_], sampling(), lambda *call: calls.append(call))
    assert calls == []


def test_a_prompt_that_just_fits_is_served(engine):
    [[completion]] = engine.generate([Request((5,) * 72, 0, 1)], sampling(stop_token_ids=()), ignore_progress)
    assert len(completion.token_ids) == 24


@pytest.mark.parametrize(
    "changes",
    [
        {"max_tokens": 0},
        {"temperature": -0.1},
        {"temperature": 0.001},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"stop_token_ids": (-1,)},
    ],
)
def test_sampling_refuses_values_without_meaning(changes):
    [(key, value)] = changes.items()
    with pytest.raises(ValueError, match=rf"{key} .*not allowed"):
        sampling(**{key: value})


@pytest.mark.parametrize(
    "changes", [{"context": 1}, {"max_sequences": 0}, {"dtype": "float8"}, {"gpu_memory_utilization": 0}]
)
def test_settings_refuse_values_without_meaning(changes):
    [(key, value)] = changes.items()
    with pytest.raises(ValueError, match=rf"{key} .*not allowed"):
        EngineSettings(**{"context": 10, key: value})


def test_an_unknown_engine_is_refused_with_the_names_of_the_known(model_path):
    with pytest.raises(ValueError, match="engine 'abacus' is not allowed: transformers, vllm"):
        load_engine("abacus", model_path, EngineSettings(context=CONTEXT))


def test_a_context_beyond_the_model_is_refused_before_its_weights_are_read(model_path, tmp_path):
    shutil.copy(f"{model_path}/config.json", tmp_path)
    for name in ("transformers", "vllm"):
        with pytest.raises(ValueError, match=r"context 129 is not allowed: .* 128 tokens at most"):
            load_engine(name, str(tmp_path), EngineSettings(context=129))


def test_a_device_that_is_not_there_is_refused_before_the_weights_are_read(model_path, tmp_path):
    shutil.copy(f"{model_path}/config.json", tmp_path)
    with pytest.raises(ValueError, match=r"device 'cuda:99' is not allowed: torch sees \d+ GPUs here"):
        load_engine("transformers", str(tmp_path), EngineSettings(context=CONTEXT, device="cuda:99"))


def test_a_broken_model_is_an_error_and_not_a_response(model_path):
    broken = load_engine("transformers", model_path, EngineSettings(context=CONTEXT, device="cpu"))
    with torch.no_grad():
        broken.model.lm_head.weight[3] = float("nan")
    with pytest.raises(FloatingPointError, match="request 0, sample 0: log-probability nan"):
        broken.generate([Request((5,), 0, 1)], sampling(), ignore_progress)


@pytest.mark.parametrize("logprob", [math.nan, math.inf, -math.inf])
def test_only_finite_logprobs_pass(logprob):
    check_finite(-3.5, request=0, sample=0)
    with pytest.raises(FloatingPointError, match="request 4, sample 2"):
        check_finite(logprob, request=4, sample=2)


def test_importing_the_contract_costs_no_torch():
    program = "import sys, opsft.engines; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
