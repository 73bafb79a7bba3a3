"""The objective and its gradient, against definitions written out naively."""

import numpy as np
import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from opsft.batching import Example, collate, empty_batch, microbatches, shares_of
from opsft.objective import NORMALISERS, Objective, check_head, coefficients, response_states
from opsft.sft import SftSettings, accumulate_gradient
from tests.rounding import assert_close_in_norm, gamma, of_a_gradient, per_token

SETTINGS = SftSettings(
    lr=1e-3,
    warmup_updates=0,
    updates=1,
    epochs=1,
    normaliser="seq-mean-token-sum-norm",
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    weight_decay=0.0,
    clip=1.0,
    optimizer="adamw",
    offload_optimizer=False,
    microbatch_tokens=10_000,
    logit_chunk=7,
    gradient_checkpointing=False,
    compute_dtype="float32",
    checkpoint_every=1000,
)


def make_examples(count: int, seed: int = 0) -> list[Example]:
    rng = np.random.default_rng(seed)
    return [
        Example(
            key=f"p#{i}",
            position=i,
            prompt_ids=tuple(rng.integers(1, 64, rng.integers(2, 9)).tolist()),
            response_ids=tuple(rng.integers(1, 64, rng.integers(1, 20)).tolist()),
            weight=float(rng.uniform(0.5, 2)),
            engine_logprob=0.0,
        )
        for i in range(count)
    ]


def gradient_of(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).clone()


def reference_loss(model, examples: list[Example], rollouts: int, longest: int, normaliser: str) -> torch.Tensor:
    """The objective's formula, one example at a time, in float64, with no padding and no chunks."""
    sums = []
    for example in examples:
        ids = torch.tensor([example.prompt_ids + example.response_ids])
        log_probs = model(input_ids=ids).logits[0, :-1].double().log_softmax(-1)
        start = len(example.prompt_ids) - 1
        each = [log_probs[start + t, token] for t, token in enumerate(example.response_ids)]
        sums.append(torch.stack(each).sum())
    lengths = [len(example.response_ids) for example in examples]
    divisors = {
        "seq-mean-token-sum-norm": [rollouts * longest] * len(examples),
        "token-mean": [sum(lengths)] * len(examples),
        "seq-mean-token-mean": [len(examples) * length for length in lengths],
    }[normaliser]
    return -sum(example.weight * s / z for example, s, z in zip(examples, sums, divisors, strict=True))


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_loss_and_gradient_equal_a_float64_reference(tiny_model, normaliser):
    model = tiny_model.double()
    examples = make_examples(5)
    reference_loss(model, examples, rollouts=12, longest=30, normaliser=normaliser).backward()
    expected_gradient = gradient_of(model)
    expected = reference_loss(model, examples, 12, 30, normaliser).item()

    model.zero_grad()
    settings = SftSettings(**{**vars(SETTINGS), "normaliser": normaliser})
    loss, _ = accumulate_gradient(Objective(model), examples, 12, 30, settings)
    # The factors of the tokens are made in float32.
    assert loss == pytest.approx(expected, rel=gamma(10))
    assert_close_in_norm(gradient_of(model), expected_gradient, of_a_gradient())


def test_gradient_is_the_policy_gradient_of_the_truncation_reward():
    """Exact enumeration of a policy over 6 tokens that stops at token 0 or is cut after 2 tokens.

    Its 1 + 5 * 6 responses are all that there are. Each stands in the batch with its probability as weight, so that the batch is
    the policy's own distribution, and the trainer's gradient, times -longest, must be grad E[r].
    """
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 1, "num_key_value_heads": 1}
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=6, num_hidden_layers=1, initializer_range=0.5, **shape)).double()
    prompt, longest = (5, 3), 2
    responses = [(0,)] + [(a, b) for a in range(1, 6) for b in range(6)]
    rewarded = [o for o in responses if o[-1] == 0 and sum(o) % 2 == 1]

    def log_prob(response: tuple[int, ...]) -> torch.Tensor:
        logits = model(input_ids=torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1]
        return logits.log_softmax(-1).gather(1, torch.tensor(response)[:, None]).sum()

    with torch.no_grad():
        probability = {o: log_prob(o).exp().item() for o in responses}
    assert sum(probability.values()) == pytest.approx(1)
    sum(log_prob(o).exp() for o in rewarded).backward()
    policy_gradient = gradient_of(model)

    model.zero_grad()
    kept = [Example(str(o), i, prompt, o, probability[o], 0.0) for i, o in enumerate(rewarded)]
    accumulate_gradient(Objective(model), kept, rollouts=1, longest=longest, settings=SETTINGS)
    assert_close_in_norm(-longest * gradient_of(model), policy_gradient, gamma(len(rewarded)))


def test_sampled_gradient_of_the_trainer_is_the_reinforce_estimate(tiny_model):
    """The trainer's gradient on a batch of sampled rollouts, times -longest, is mean_i r_i grad log pi(o_i)."""
    model, examples = tiny_model.double(), [Example(**{**vars(e), "weight": 1.0}) for e in make_examples(8)]
    rollouts, kept = 8, [examples[i] for i in (0, 2, 5)]
    longest = max(len(example.response_ids) for example in examples)
    estimate = 0
    for example in kept:
        ids = torch.tensor([example.prompt_ids + example.response_ids])
        log_probs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        sampled = log_probs[len(example.prompt_ids) - 1 :].gather(1, torch.tensor(example.response_ids)[:, None])
        estimate = estimate + sampled.sum() / rollouts
    estimate.backward()
    expected = gradient_of(model)
    model.zero_grad()
    accumulate_gradient(Objective(model), kept, rollouts, longest, SETTINGS)
    assert_close_in_norm(-longest * gradient_of(model), expected, of_a_gradient())


@pytest.mark.parametrize("normaliser", NORMALISERS)
@pytest.mark.parametrize("tokens", [1, 30, 64])
def test_gradient_does_not_depend_on_micro_batches(tiny_model, normaliser, tokens):
    examples = make_examples(9)
    settings = SftSettings(**{**vars(SETTINGS), "normaliser": normaliser})
    whole_loss, whole_sums = accumulate_gradient(Objective(tiny_model), examples, 20, 25, settings)
    whole = gradient_of(tiny_model)
    tiny_model.zero_grad()
    cut = SftSettings(**{**vars(settings), "microbatch_tokens": tokens, "logit_chunk": 3})
    loss, sums = accumulate_gradient(Objective(tiny_model), examples, 20, 25, cut)
    assert loss == pytest.approx(whole_loss, rel=per_token())
    lengths = np.array([len(example.response_ids) for example in examples])
    assert (np.abs(np.array(sums) - whole_sums) <= lengths * per_token()).all()
    assert_close_in_norm(gradient_of(tiny_model), whole, of_a_gradient())


def test_prompt_tokens_carry_no_gradient(tiny_model):
    """A prompt token is predicted by nobody: with a response of one token there is one term in the loss."""
    example = make_examples(1)[0]
    short = Example(**{**vars(example), "response_ids": (7,)})
    _, sums = accumulate_gradient(Objective(tiny_model), [short], 1, 1, SETTINGS)
    ids = torch.tensor([short.prompt_ids])
    expected = tiny_model(input_ids=ids).logits[0, -1].log_softmax(-1)[7].item()
    assert sums[0] == pytest.approx(expected, abs=per_token())


def test_the_head_sees_no_prompt_token(tiny_model):
    """As many hidden states reach the fused head as there are response tokens."""
    examples = make_examples(6)
    hidden, targets, rows = response_states(tiny_model, collate(examples, torch.device("cpu")))
    assert len(hidden) == len(targets) == len(rows) == sum(len(example.response_ids) for example in examples)
    assert targets.tolist() == [token for example in examples for token in example.response_ids]


def test_an_empty_batch_adds_nothing(tiny_model):
    """What a process passes through the model when the others still have a micro-batch and it has none."""
    loss, log_probs = Objective(tiny_model)(empty_batch(torch.device("cpu")), torch.zeros(0), 7)
    loss.backward()
    assert loss.item() == 0
    assert log_probs.tolist() == [0]
    assert gradient_of(tiny_model).abs().max() == 0


def test_a_model_that_caps_its_logits_is_refused(tiny_model):
    batch = collate(make_examples(1), torch.device("cpu"))
    check_head(tiny_model, batch)
    plain = tiny_model.forward

    def capped(*args, **kwargs):
        output = plain(*args, **kwargs)
        output.logits = torch.tanh(output.logits)
        return output

    tiny_model.forward = capped
    with pytest.raises(ValueError, match="caps or scales its logits"):
        check_head(tiny_model, batch)


def test_unknown_normaliser_is_refused():
    with pytest.raises(ValueError, match="allowed: seq-mean-token-sum-norm, token-mean, seq-mean-token-mean"):
        coefficients(np.ones(1), np.ones(1), 1, 1, "mean")


def test_micro_batches_hold_every_example_once_within_the_limit():
    examples = make_examples(40)
    groups = microbatches(examples, 60)
    assert sorted(i for group in groups for i in group) == list(range(40))
    for group in groups:
        assert len(group) == 1 or len(group) * max(examples[i].length for i in group) <= 60


def test_shares_are_disjoint_and_cover_the_batch():
    shares = shares_of(11, 3, (0, 1, 0))
    assert sorted(np.concatenate(shares).tolist()) == list(range(11))
    assert [len(share) for share in shares] == [4, 4, 3]
    assert any(not np.array_equal(a, b) for a, b in zip(shares, shares_of(11, 3, (0, 2, 0)), strict=True))
