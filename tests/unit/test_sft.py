"""The training loop: resuming, carrying state, refusing what is not finite."""

import copy
from dataclasses import replace

import pytest
import torch

from opsft.batching import Example
from opsft.sft import NonFinite, RolloutBatch, SftSettings, plan_updates, train
from tests.rounding import assert_close_in_norm, of_an_update, per_token
from tests.unit.test_objective import SETTINGS, make_examples


class Kept:
    """Checkpoints in memory; `die_after` saves, the process is killed."""

    def __init__(self, die_after: int | None = None) -> None:
        self.state, self.saves, self.die_after = None, 0, die_after

    def load(self):
        return copy.deepcopy(self.state)

    def save(self, progress, weights, optimizer) -> None:
        self.state = copy.deepcopy((progress, weights, optimizer))
        self.saves += 1
        if self.saves == self.die_after:
            raise KeyboardInterrupt


def settings(**changes) -> SftSettings:
    return SftSettings(**{**vars(SETTINGS), **changes})


def run(model, batch, chosen, checkpoints=None, optimizer_state=None, updates_before=0):
    return train(
        model,
        batch,
        chosen,
        seed=(0, 1),
        updates_before=updates_before,
        optimizer_state=optimizer_state or {},
        checkpoints=checkpoints or Kept(),
        progress=lambda done, total, tokens: None,
    )


def parameters_of(model: torch.nn.Module) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()


@pytest.fixture
def batch() -> RolloutBatch:
    kept = make_examples(12)
    return RolloutBatch(kept=kept, rollouts=20, longest=max(len(example.response_ids) for example in kept))


def test_training_raises_the_likelihood_of_what_was_kept(tiny_model, batch):
    metrics, _ = run(tiny_model, batch, settings(epochs=10, warmup_updates=0))
    again, _ = run(tiny_model, batch, settings())
    assert again["nll"] < 0.8 * metrics["nll"]


def test_resuming_gives_the_same_bits_as_an_uninterrupted_run(tiny_model, batch):
    chosen = settings(updates=2, epochs=3, checkpoint_every=2)
    interrupted = copy.deepcopy(tiny_model)
    whole_metrics, whole_state = run(tiny_model, batch, chosen)

    checkpoints = Kept(die_after=2)
    with pytest.raises(KeyboardInterrupt):
        run(copy.deepcopy(interrupted), batch, chosen, checkpoints)
    assert len(checkpoints.state[0]["log"]) == 4
    metrics, state = run(interrupted, batch, chosen, checkpoints)

    assert metrics == whole_metrics
    assert all(torch.equal(state[name], tensor) for name, tensor in whole_state.items())
    for (name, ours), theirs in zip(interrupted.named_parameters(), tiny_model.parameters(), strict=True):
        assert torch.equal(ours, theirs), name


def test_carried_moments_make_two_runs_one(tiny_model, batch):
    """Two calls that carry the moments on equal one call of twice the epochs, when both see the same shares."""
    before, twice = parameters_of(tiny_model), copy.deepcopy(tiny_model)
    run(tiny_model, batch, settings(epochs=2))
    _, moments = run(twice, batch, settings())
    run(twice, batch, settings(), optimizer_state=moments, updates_before=1)
    assert_close_in_norm(*(parameters_of(model) - before for model in (twice, tiny_model)), of_an_update())


def test_reset_moments_give_another_result(tiny_model, batch):
    reset = copy.deepcopy(tiny_model)
    run(tiny_model, batch, settings(epochs=2))
    run(reset, batch, settings())
    run(reset, batch, settings())
    assert any(not torch.allclose(a, b) for a, b in zip(reset.parameters(), tiny_model.parameters(), strict=True))


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_stops_before_the_step(tiny_model, batch, poison):
    bad = Example(**{**vars(batch.kept[3]), "weight": poison})
    kept = [bad if example.position == bad.position else example for example in batch.kept]
    before = copy.deepcopy(tiny_model.state_dict())
    with pytest.raises(NonFinite, match=r"no step was taken\. The update's 12 responses: p#0, p#1"):
        run(tiny_model, RolloutBatch(kept, batch.rollouts, batch.longest), settings())
    assert all(torch.equal(tensor, before[name]) for name, tensor in tiny_model.state_dict().items())


def test_warm_up_counts_over_the_whole_run(tiny_model, batch):
    metrics, _ = run(tiny_model, batch, settings(warmup_updates=4, lr=1e-3))
    assert metrics["lr"] == pytest.approx(0.25e-3)
    metrics, _ = run(tiny_model, batch, settings(warmup_updates=4, lr=1e-3), updates_before=2)
    assert metrics["lr"] == pytest.approx(0.75e-3)
    metrics, _ = run(tiny_model, batch, settings(warmup_updates=4, lr=1e-3), updates_before=50)
    assert metrics["lr"] == pytest.approx(1e-3)


def test_the_check_of_the_head_makes_no_logits_of_a_whole_response(tiny_model, batch, monkeypatch):
    widths = []
    plain = tiny_model.forward
    monkeypatch.setattr(
        tiny_model, "forward", lambda **inputs: widths.append(inputs["input_ids"].shape[1]) or plain(**inputs)
    )
    long = replace(batch.kept[0], prompt_ids=(3,) * 300, response_ids=(5,) * 300)
    run(tiny_model, replace(batch, kept=[long]), settings())
    assert widths == [128]


def test_every_kept_example_is_trained_once_an_epoch(batch):
    planned = plan_updates(batch, settings(updates=5, epochs=2), seed=(0, 1))
    trained = [example.position for kept, _ in planned for example in kept]
    assert sorted(trained) == sorted(2 * [example.position for example in batch.kept])
    assert sum(rollouts for _, rollouts in planned) <= 2 * batch.rollouts


def test_shares_without_a_kept_rollout_are_left_out():
    lonely = RolloutBatch(kept=make_examples(1), rollouts=8, longest=20)
    planned = plan_updates(lonely, settings(updates=4), seed=(0, 1))
    assert [(len(kept), rollouts) for kept, rollouts in planned] == [(1, 2)]


def test_gap_to_the_engine_is_zero_where_both_are_the_same_policy(tiny_model, batch):
    from opsft.batching import collate
    from opsft.objective import response_log_probs

    with torch.no_grad():
        sums = response_log_probs(tiny_model, collate(batch.kept, torch.device("cpu")), 100).numpy()
    exact = [Example(**{**vars(e), "engine_logprob": float(s)}) for e, s in zip(batch.kept, sums, strict=True)]
    metrics, _ = run(copy.deepcopy(tiny_model), RolloutBatch(exact, batch.rollouts, batch.longest), settings())
    assert metrics["logprob_gap"] < per_token()
    off = [
        Example(**{**vars(e), "engine_logprob": float(s) + len(e.response_ids)})
        for e, s in zip(batch.kept, sums, strict=True)
    ]
    metrics, _ = run(tiny_model, RolloutBatch(off, batch.rollouts, batch.longest), settings())
    assert metrics["logprob_gap"] == pytest.approx(1, abs=per_token())


def test_without_the_engine_s_logprobs_there_is_no_gap_and_the_same_training(tiny_model, batch):
    other = copy.deepcopy(tiny_model)
    without = [Example(**{**vars(e), "engine_logprob": None}) for e in batch.kept]
    metrics, _ = run(other, RolloutBatch(without, batch.rollouts, batch.longest), settings())
    expected, _ = run(tiny_model, batch, settings())
    assert metrics == {**expected, "logprob_gap": None, "logprob_gap_first": None}
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), tiny_model.parameters(), strict=True))


def test_gradient_checkpointing_changes_no_result(tiny_model, batch):
    before, other = parameters_of(tiny_model), copy.deepcopy(tiny_model)
    run(tiny_model, batch, settings())
    run(other, batch, settings(gradient_checkpointing=True))
    assert_close_in_norm(*(parameters_of(model) - before for model in (other, tiny_model)), of_an_update())
