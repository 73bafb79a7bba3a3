"""Fine-tune a policy on the kept part of one rollout batch.

How this differs from the released code of arXiv 2602.13407: the normaliser spans the whole update, not a micro-batch; one
update per batch unless the recipe says more; a batch without a kept response is skipped; fp32 weights, bf16 compute only on a
GPU; the moments of AdamW are carried on; a killed run goes on from its last checkpoint with the same result.
"""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch

from opsft import processes
from opsft.attention import avoid_cudnn_attention
from opsft.batching import Example, collate, empty_batch, microbatches, padding, shares_of
from opsft.objective import Objective, check_head, coefficients
from opsft.optimizers import make_optimizer, take_step
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
    optimizer: str
    offload_optimizer: bool
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
    that of the parent, or empty to begin anew; `progress` gets (updates done, in all, tokens), once before the first update too.
    Where the process is one of several (opsft/processes.py), `model` ends sharded, and the optimiser's state is the leader's.
    """
    device = next(model.parameters()).device
    resumed = processes.leader_first(checkpoints.load)
    if settings.gradient_checkpointing:
        recompute_activations(model)
    model.train()
    avoid_cudnn_attention()
    if resumed is None:
        check_head(model, collate([beginning(batch.kept[0])], device))
    objective = Objective(model)
    processes.shard(objective, model.get_decoder(), device)
    optimizer = optimizer_of(model, settings)
    log, weights, moments = (resumed[0]["log"], *resumed[1:]) if resumed else ([], None, optimizer_state)
    load_optimizer_tensors(model, optimizer, moments)
    planned = plan_updates(batch, settings, seed)
    if resumed:
        load_weight_tensors(model, weights)
        print(f"resuming after update {len(log)} of {len(planned)}", flush=True)
    progress(len(log), len(planned), sum(entry["tokens"] for entry in log))
    for number in range(len(log), len(planned)):
        lr = settings.lr * min(1.0, (updates_before + number + 1) / max(1, settings.warmup_updates))
        log.append(update(objective, optimizer, batch, *planned[number], settings, lr))
        progress(number + 1, len(planned), sum(entry["tokens"] for entry in log))
        if (number + 1) % settings.checkpoint_every == 0 and number + 1 < len(planned):
            checkpoints.save({"log": log}, weight_tensors(model), optimizer_tensors(model, optimizer))
    measured = {**summarise(log), "probe": probe(objective, batch.kept[0].prompt_ids, settings, device)}
    return measured, optimizer_tensors(model, optimizer)


def beginning(example: Example) -> Example:
    """An example short enough to have all its logits in memory at once, [T, vocabulary]: the end of its prompt and the beginning of its response."""
    return replace(example, prompt_ids=example.prompt_ids[-64:], response_ids=example.response_ids[:64])


def recompute_activations(model: torch.nn.Module) -> None:
    """Gradient checkpointing, not re-entrant. transformers renamed the method after 5.17, and warns of the old name."""
    getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()


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


def optimizer_of(model: torch.nn.Module, settings: SftSettings) -> torch.optim.Optimizer:
    return make_optimizer(
        model,
        settings.optimizer,
        settings.offload_optimizer,
        lr=settings.lr,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        weight_decay=settings.weight_decay,
    )


def update(
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    batch: RolloutBatch,
    kept: list[Example],
    rollouts: int,
    settings: SftSettings,
    lr: float,
) -> dict:
    """One step of the optimiser on one share of the batch; returns what was measured in it.

    Raises NonFinite, before the step, where the loss or the norm of the gradient is not finite.
    """
    optimizer.zero_grad(set_to_none=True)
    loss, log_probs = accumulate_gradient(objective, kept, rollouts, batch.longest, settings)
    norm = processes.whole(torch.nn.utils.clip_grad_norm_(objective.parameters(), settings.clip)).item()
    if not (math.isfinite(loss) and math.isfinite(norm)):
        keys = ", ".join(example.key for example in kept[:10])
        raise NonFinite(
            f"loss {loss}, gradient norm {norm}: no step was taken. The update's {len(kept)} responses: {keys}"
        )
    take_step(optimizer, lr)
    lengths = np.array([len(example.response_ids) for example in kept])
    positions = sum(example.length for example in kept)
    return {
        "loss": loss,
        "grad_norm": norm,
        "lr": lr,
        "kept": len(kept),
        "tokens": int(lengths.sum()),
        "positions": positions,
        "padding": padding(kept, microbatches(kept, settings.microbatch_tokens)),
        "nll": float(-log_probs.sum() / lengths.sum()),
        "logprob_gap": gap_to_engine(kept, log_probs),
    }


def gap_to_engine(kept: list[Example], log_probs: np.ndarray) -> float | None:
    """Mean over responses of |log pi_train(o) - log pi_engine(o)| / |o|; None where the engine was not asked."""
    if any(example.engine_logprob is None for example in kept):
        return None
    lengths = np.array([len(example.response_ids) for example in kept])
    engine = np.array([example.engine_logprob for example in kept])
    return float(np.mean(np.abs(log_probs - engine) / lengths))


def accumulate_gradient(
    objective: Objective, kept: list[Example], rollouts: int, longest: int, settings: SftSettings
) -> tuple[float, np.ndarray]:
    """Add the gradient of one update's loss to the parameters; return the loss and every log pi(o_i) [K] in nats.

    Several processes take every n-th micro-batch each. They gather weights together, so each does as many passes as any other.
    """
    device = next(objective.parameters()).device
    weights = np.array([example.weight for example in kept])
    lengths = np.array([len(example.response_ids) for example in kept])
    factors = torch.tensor(coefficients(weights, lengths, rollouts, longest, settings.normaliser))
    groups = microbatches(kept, settings.microbatch_tokens)
    # The loss, then a log-probability for each response: one sum over the processes.
    found = torch.zeros(1 + len(kept), dtype=torch.float64)
    for first in range(0, len(groups), processes.count()):
        mine = first + processes.number()
        members = groups[mine] if mine < len(groups) else []
        part = collate([kept[i] for i in members], device) if members else empty_batch(device)
        with compute_in(settings.compute_dtype, device):
            loss, log_probs = objective(part, factors[members].to(device), settings.logit_chunk)
        loss.backward()
        found[0] += loss.item()
        found[[1 + i for i in members]] = log_probs.double().cpu()
    found = processes.total(found.to(device)).cpu().numpy()
    return float(found[0]), found[1:]


def probe(objective: Objective, prompt_ids: tuple[int, ...], settings: SftSettings, device: torch.device) -> dict:
    """A prompt and the largest log-probability of a next token after it, in nats, with the dtype of the computation.

    An engine that gives another one holds other weights. In bfloat16 that tells broken weights from sound ones, and hardly
    one policy from the next.
    """
    with compute_in(settings.compute_dtype, device):
        dtype = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32
        log_prob = objective.greedy_log_prob(torch.tensor([prompt_ids], device=device))
    return {"prompt_ids": list(prompt_ids), "logprob": log_prob.item(), "dtype": str(dtype).removeprefix("torch.")}


def compute_in(dtype: str, device: torch.device) -> contextlib.AbstractContextManager:
    """bf16 arithmetic over fp32 weights, or plain fp32; `auto` is bf16 on a GPU."""
    if dtype == "bfloat16" or (dtype == "auto" and device.type == "cuda"):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def summarise(log: list[dict]) -> dict:
    """What was measured over all updates of the batch.

    `logprob_gap`: mean over kept responses of |log pi_train(o) - log pi_engine(o)| / |o|, in nats a token, when each was
    trained on: a lower bound on the mean gap of a token, since gaps of opposite signs cancel within a response; `logprob_gap_first`: over
    the first update alone, where the two should be the same policy; both None where the engine was not asked.
    `padding_share`: of the positions that passed the model, those that were padding.
    """
    kept = sum(entry["kept"] for entry in log)
    positions, padded = (sum(entry[key] for entry in log) for key in ("positions", "padding"))
    gaps = [entry["logprob_gap"] for entry in log]
    return {
        "updates": len(log),
        "tokens_trained": sum(entry["tokens"] for entry in log),
        "loss": float(np.mean([entry["loss"] for entry in log])),
        "grad_norm": float(np.mean([entry["grad_norm"] for entry in log])),
        "grad_norm_max": max(entry["grad_norm"] for entry in log),
        "lr": log[-1]["lr"],
        "nll": sum(entry["nll"] * entry["tokens"] for entry in log) / sum(entry["tokens"] for entry in log),
        "logprob_gap": None if None in gaps else sum(entry["logprob_gap"] * entry["kept"] for entry in log) / kept,
        "logprob_gap_first": gaps[0],
        "padding_share": padded / (positions + padded),
    }
