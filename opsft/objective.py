"""The objective of on-policy SFT, exactly.

For one update on a share of the current policy's rollouts,

    loss = - sum_i  r_i w_i  sum_t log pi(o_it | q_i, o_i<t)  /  Z

where r_i is 1 for a kept response and 0 for a rejected one, and w_i is the weight its selection rule gave it
(arXiv 2602.13407, with the weights and the choice of Z added). Z, by name:

    seq-mean-token-sum-norm   rollouts of the update, kept and rejected, times the longest response of the rollout batch (the paper)
    token-mean                kept tokens of the update
    seq-mean-token-mean       kept responses of the update, times the response's own length

Each is a sum over the whole update, never over a micro-batch: how an update is cut into micro-batches does not change
its gradient. With one update per rollout batch, temperature 1 and w = 1, the gradient of the first is that of the policy
gradient (REINFORCE, no baseline) with the truncation reward r, divided by the longest response.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint

NORMALISERS = ("seq-mean-token-sum-norm", "token-mean", "seq-mean-token-mean")


def coefficients(weights: np.ndarray, lengths: np.ndarray, rollouts: int, longest: int, normaliser: str) -> np.ndarray:
    """The factor c_i [K] of each kept response, so that loss = - sum_i c_i sum_t log pi(o_it).

    `weights` [K] and `lengths` [K] (tokens, end token included) are those of the kept responses of one update;
    `rollouts` counts the kept and rejected rollouts of the update; `longest` is the longest response of the rollout batch.
    Raises ValueError for an unknown normaliser.
    """
    if normaliser == "seq-mean-token-sum-norm":
        return weights / (rollouts * longest)
    if normaliser == "token-mean":
        return weights / lengths.sum()
    if normaliser == "seq-mean-token-mean":
        return weights / (len(lengths) * lengths)
    raise ValueError(f"normaliser {normaliser!r} is unknown; allowed: {', '.join(NORMALISERS)}")


@dataclass(frozen=True)
class Batch:
    """Right-padded sequences. `ids`, `mask` and `is_response` are [B, T]; the last marks the sampled tokens."""

    ids: torch.Tensor
    mask: torch.Tensor
    is_response: torch.Tensor


def response_log_probs(model: torch.nn.Module, batch: Batch, logit_chunk: int) -> torch.Tensor:
    """Sum of the log-probabilities of each response [B], in nats, fp32.

    Logits exist for `logit_chunk` response tokens at a time and are computed again in the backward pass: never for the
    prompt, and never as [B, T, vocabulary].
    """
    hidden = model.get_decoder()(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).last_hidden_state
    predicted = batch.is_response[:, 1:]
    log_probs = chunked_log_probs(
        hidden[:, :-1][predicted], model.get_output_embeddings(), batch.ids[:, 1:][predicted], logit_chunk
    )
    rows = predicted.nonzero()[:, 0]
    return torch.zeros(len(batch.ids), device=log_probs.device).index_add(0, rows, log_probs)


def chunked_log_probs(
    hidden: torch.Tensor, head: Callable[[torch.Tensor], torch.Tensor], targets: torch.Tensor, chunk: int
) -> torch.Tensor:
    """log softmax(head(hidden))[targets] for hidden [N, D] and targets [N], as fp32 [N]."""

    def log_probs(part: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        logits = head(part).float()
        return logits.gather(1, wanted[:, None])[:, 0] - logits.logsumexp(1)

    parts = [
        checkpoint(log_probs, part, wanted, use_reentrant=False)
        for part, wanted in zip(hidden.split(chunk), targets.split(chunk), strict=True)
    ]
    return torch.cat(parts)


@torch.no_grad()
def check_head(model: torch.nn.Module, batch: Batch, tolerance: float = 1e-2) -> None:
    """Refuse a model whose logits are more than its head over its last hidden state (soft-capping, scaling).

    Compares the chunked log-probabilities of `batch` with those of the model's own logits. Raises ValueError.
    """
    ours = response_log_probs(model, batch, logit_chunk=64)
    logits = model(input_ids=batch.ids, attention_mask=batch.mask).logits[:, :-1].float()
    each = logits.log_softmax(-1).gather(2, batch.ids[:, 1:, None])[..., 0]
    theirs = (each * batch.is_response[:, 1:]).sum(1)
    gap = ((ours - theirs).abs() / batch.is_response.sum(1)).max().item()
    if not gap <= tolerance:
        raise ValueError(
            f"{type(model).__name__}: log-probabilities from the last hidden state and the output embeddings differ "
            f"from the model's own by {gap:.3g} nats a token (allowed: {tolerance}); the model caps or scales its logits"
        )
