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

from dataclasses import dataclass

import numpy as np
import torch

from opsft.cross_entropy import at_least_fp32, linear_cross_entropy, target_log_probs

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


class Objective(torch.nn.Module):
    """A causal language model as the function that training minimises: its decoder, and its head fused with the loss.

    It is a module because several processes shard it as one (opsft/processes.py).
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, factors: torch.Tensor, logit_chunk: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(- sum_i c_i log pi(o_i), every log pi(o_i) [B] without a gradient) in nats, for the `factors` c [B].

        Logits exist for `logit_chunk` response tokens at a time: never for the prompt, and never as [B, T, vocabulary].
        """
        hidden, targets, rows = response_states(self.model, batch)
        head, each = self.model.get_output_embeddings(), factors[rows]
        loss, log_probs = linear_cross_entropy(hidden, head, targets, each, logit_chunk)
        return loss, sum_by_row(log_probs, rows, len(batch.ids))

    @torch.no_grad()
    def greedy_log_prob(self, ids: torch.Tensor) -> torch.Tensor:
        """The largest log-probability of a next token after `ids` [1, T], in nats."""
        hidden = self.model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state[:, -1]
        return at_least_fp32(self.model.get_output_embeddings()(hidden)).log_softmax(-1).max()


def response_states(model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The last hidden state before each response token [N, D], the token [N], and the row of the batch it stands in [N]."""
    hidden = model.get_decoder()(input_ids=batch.ids, attention_mask=batch.mask, use_cache=False).last_hidden_state
    predicted = batch.is_response[:, 1:]
    return hidden[:, :-1][predicted], batch.ids[:, 1:][predicted], predicted.nonzero()[:, 0]


def sum_by_row(values: torch.Tensor, rows: torch.Tensor, count: int) -> torch.Tensor:
    return values.new_zeros(count).index_add(0, rows, values)


@torch.no_grad()
def response_log_probs(model: torch.nn.Module, batch: Batch, logit_chunk: int) -> torch.Tensor:
    """Sum of the log-probabilities of each response [B], in nats, without a gradient."""
    hidden, targets, rows = response_states(model, batch)
    log_probs = target_log_probs(hidden, model.get_output_embeddings(), targets, logit_chunk)
    return sum_by_row(log_probs, rows, len(batch.ids))


@torch.no_grad()
def check_head(model: torch.nn.Module, batch: Batch, tolerance: float = 1e-2) -> None:
    """Refuse a model whose logits are more than a linear head over its last hidden state (soft-capping, scaling).

    Compares the log-probabilities of `batch` with those of the model's own logits. Raises ValueError.
    """
    head = model.get_output_embeddings()
    if not isinstance(head, torch.nn.Linear):
        raise ValueError(
            f"{type(model).__name__}: its output layer is {type(head).__name__}; allowed: a plain linear layer"
        )
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
