"""Fine-tune a policy on the kept part of one rollout batch.

How this differs from the released code of arXiv 2602.13407: the normaliser spans the whole update, not a micro-batch; one
update per batch unless the recipe says more; a batch without a kept response is skipped; fp32 weights, bf16 compute only on a
GPU; the moments of AdamW are carried on; a killed run goes on from its last checkpoint with the same result.
"""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from opsft.batching import Example, collate, microbatches, shares_of
from opsft.objective import check_head, coefficients, response_log_probs
from opsft.training_state import load_optimizer_tensors, load_weight_tensors, optimizer_tensors, weight_tensors


@dataclass(frozen=True)
class SftSettings:
    """See workflow/schemas/config.schema.yaml for what each key means."""

    lr: float
    warmup_updates: int
    updates: int
    epochs: int
    normaliser: str
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    clip: float
    microbatch_tokens: int
    logit_chunk: int
    gradient_checkpointing: bool
    compute_dtype: str
    checkpoint_every: int


@dataclass(frozen=True)
class RolloutBatch:
    """The kept examples of a batch, and what the normaliser needs of the whole batch."""

    kept: list[Example]
    rollouts: int
    longest: int


class Checkpoints(Protocol):
    """Where training leaves its state while it runs."""

    def load(self) -> tuple[dict, dict[str, torch.Tensor], dict[str, torch.Tensor]] | None:
        """The last (progress, weights, optimiser state), or None."""

    def save(self, progress: dict, weights: dict[str, torch.Tensor], optimizer: dict[str, torch.Tensor]) -> None:
        """Keep the state, whole or not at all."""


class NonFinite(ValueError):
    """The loss or the gradient is not finite. The step was not taken."""


def train(
    model: torch.nn.Module,
    batch: RolloutBatch,
    settings: SftSettings,
    seed: tuple[int, ...],
    updates_before: int,
    optimizer_state: dict[str, torch.Tensor],
    checkpoints: Checkpoints,
    progress: Callable[[int, int, int], None],
) -> tuple[dict, dict[str, torch.Tensor]]:
    """Train `model` in place; return what was measured, and the optimiser's state.

    `seed` orders the batch; `updates_before` counts the updates of earlier iterations, for the warm-up; `optimizer_state` is
    that of the parent, or empty to begin anew; `progress` gets (updates done, in all, tokens).
    """
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    optimizer = make_optimizer(model, settings)
    load_optimizer_tensors(model, optimizer, optimizer_state)
    planned = plan_updates(batch, settings, seed)
    log: list[dict] = []
    resumed = checkpoints.load()
    if resumed:
        log, weights, moments = resumed[0]["log"], resumed[1], resumed[2]
        load_weight_tensors(model, weights)
        load_optimizer_tensors(model, optimizer, moments)
        print(f"resuming after update {len(log)} of {len(planned)}", flush=True)
    else:
        check_head(model, collate(batch.kept[:1], next(model.parameters()).device))
    for number in range(len(log), len(planned)):
        lr = settings.lr * min(1.0, (updates_before + number + 1) / max(1, settings.warmup_updates))
        log.append(update(model, optimizer, batch, *planned[number], settings, lr))
        progress(number + 1, len(planned), sum(entry["tokens"] for entry in log))
        if (number + 1) % settings.checkpoint_every == 0 and number + 1 < len(planned):
            checkpoints.save({"log": log}, weight_tensors(model), optimizer_tensors(model, optimizer))
    return summarise(log), optimizer_tensors(model, optimizer)


def plan_updates(batch: RolloutBatch, settings: SftSettings, seed: tuple[int, ...]) -> list[tuple[list[Example], int]]:
    """The (kept examples, rollouts) of every update; shares in which nothing was kept are left out."""
    by_position = {example.position: example for example in batch.kept}
    planned = []
    for epoch in range(settings.epochs):
        for share in shares_of(batch.rollouts, settings.updates, (*seed, epoch)):
            kept = [by_position[position] for position in share.tolist() if position in by_position]
            if kept:
                planned.append((kept, len(share)))
    return planned


def make_optimizer(model: torch.nn.Module, settings: SftSettings) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        model.parameters(),
        lr=settings.lr,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        weight_decay=settings.weight_decay,
    )


def update(
    model: torch.nn.Module,
    optimizer: torch.optim.AdamW,
    batch: RolloutBatch,
    kept: list[Example],
    rollouts: int,
    settings: SftSettings,
    lr: float,
) -> dict:
    """One step of AdamW on one share of the batch; returns what was measured in it.

    Raises NonFinite, before the step, where the loss or the norm of the gradient is not finite.
    """
    optimizer.zero_grad(set_to_none=True)
    loss, log_probs = accumulate_gradient(model, kept, rollouts, batch.longest, settings)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip).item()
    if not (math.isfinite(loss) and math.isfinite(norm)):
        keys = ", ".join(example.key for example in kept[:10])
        raise NonFinite(
            f"loss {loss}, gradient norm {norm}: no step was taken. The update's {len(kept)} responses: {keys}"
        )
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    lengths = np.array([len(example.response_ids) for example in kept])
    return {
        "loss": loss,
        "grad_norm": norm,
        "lr": lr,
        "kept": len(kept),
        "tokens": int(lengths.sum()),
        "nll": float(-log_probs.sum() / lengths.sum()),
        "logprob_gap": gap_to_engine(kept, log_probs, lengths),
    }


def gap_to_engine(kept: list[Example], log_probs: np.ndarray, lengths: np.ndarray) -> float | None:
    """Mean of |log pi_train(o) - log pi_engine(o)| / |o| in nats a token; None where the engine gave no log-probabilities."""
    if any(example.engine_logprob is None for example in kept):
        return None
    engine = np.array([example.engine_logprob for example in kept])
    return float(np.mean(np.abs(log_probs - engine) / lengths))


def accumulate_gradient(
    model: torch.nn.Module, kept: list[Example], rollouts: int, longest: int, settings: SftSettings
) -> tuple[float, np.ndarray]:
    """Add the gradient of one update's loss to the parameters; return the loss and every log pi(o_i) [K] in nats."""
    device = next(model.parameters()).device
    weights = np.array([example.weight for example in kept])
    lengths = np.array([len(example.response_ids) for example in kept])
    factors = coefficients(weights, lengths, rollouts, longest, settings.normaliser)
    loss, log_probs = 0.0, np.zeros(len(kept))
    for members in microbatches(kept, settings.microbatch_tokens):
        with compute_in(settings.compute_dtype, device):
            sums = response_log_probs(model, collate([kept[i] for i in members], device), settings.logit_chunk)
        part = -(torch.tensor(factors[members], dtype=torch.float32, device=device) * sums).sum()
        part.backward()
        loss += part.item()
        log_probs[members] = sums.detach().cpu().numpy()
    return loss, log_probs


def compute_in(dtype: str, device: torch.device) -> contextlib.AbstractContextManager:
    """bf16 arithmetic over fp32 weights, or plain fp32; `auto` is bf16 on a GPU."""
    if dtype == "bfloat16" or (dtype == "auto" and device.type == "cuda"):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def summarise(log: list[dict]) -> dict:
    """What was measured over all updates of the batch.

    `logprob_gap`: mean over kept responses of |log pi_train(o) - log pi_engine(o)| / |o|, in nats a token, when each was
    trained on: a lower bound on the mean gap of a token, since gaps of opposite signs cancel within a response; `logprob_gap_first`: over the first update alone, where the two should be the same policy. Both are None where the engine gave no log-probabilities.
    """
    has_gap = all(entry["logprob_gap"] is not None for entry in log)
    kept = sum(entry["kept"] for entry in log)
    return {
        "updates": len(log),
        "tokens_trained": sum(entry["tokens"] for entry in log),
        "loss": float(np.mean([entry["loss"] for entry in log])),
        "grad_norm": float(np.mean([entry["grad_norm"] for entry in log])),
        "grad_norm_max": max(entry["grad_norm"] for entry in log),
        "lr": log[-1]["lr"],
        "nll": sum(entry["nll"] * entry["tokens"] for entry in log) / sum(entry["tokens"] for entry in log),
        "logprob_gap": sum(entry["logprob_gap"] * entry["kept"] for entry in log) / kept if has_gap else None,
        "logprob_gap_first": log[0]["logprob_gap"],
    }
