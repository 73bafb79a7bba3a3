"""Our part of the SFT benchmark: see sft.py."""

import torch
from transformers import AutoModelForCausalLM

from benchmarks.known import known
from benchmarks.record import versions
from benchmarks.training_clock import TrainingClock
from opsft.batching import Example, shares_of
from opsft.sft import RolloutBatch, SftSettings, train

SEED = (0, 0)


class Nowhere:
    """Checkpoints that are never written nor found."""

    def load(self) -> None:
        return None

    def save(self, progress: dict, weights: dict, optimizer: dict) -> None:
        raise AssertionError("no checkpoint is due in a benchmark")


def rollout_batch(updates: list[list[dict]]) -> RolloutBatch:
    """A batch of which nothing was rejected, in such an order that `train` cuts it into these updates again."""
    examples = [example for update in updates for example in update]
    shares = shares_of(len(examples), len(updates), (*SEED, 0))
    positions = [position for share in shares for position in share.tolist()]
    kept = [
        Example(
            key=str(position),
            position=position,
            prompt_ids=tuple(example["prompt_ids"]),
            response_ids=tuple(example["response_ids"]),
            weight=1.0,
            engine_logprob=0.0,
        )
        for position, example in zip(positions, examples, strict=True)
    ]
    return RolloutBatch(kept=kept, rollouts=len(kept), longest=max(len(e.response_ids) for e in kept))


def measure(job: dict) -> dict:
    """Train on the updates of the job."""
    clock = TrainingClock()
    device = "cuda" if clock.on_gpu else "cpu"
    model = AutoModelForCausalLM.from_pretrained(job["checkpoint"], dtype=torch.float32, use_safetensors=True)
    updates = job["updates"]
    metrics, _ = train(
        model.to(device),
        rollout_batch(updates),
        known(SftSettings, {**job["settings"], "updates": len(updates)}),
        seed=SEED,
        updates_before=0,
        optimizer_state={},
        checkpoints=Nowhere(),
        # The first call comes before the first update.
        progress=lambda done, total, tokens: clock.tick() if done else None,
    )
    return {"mean_loss": round(metrics["loss"], 4), **clock.measured(updates), "versions": versions()}
