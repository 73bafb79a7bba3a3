"""The output layer and the cross-entropy in one, a chunk of tokens at a time.

The factor of every token is known before the forward pass, so a chunk's logits are turned into their own gradient on the
spot, and from that the gradients of the hidden states and of the head. Logits are computed once and exist for one chunk. The
idea is that of Liger-Kernel's fused linear cross-entropy (arXiv 2410.10989). This one is our own because it weights
each token by the factor of its response, gives out the log-probabilities, and is plain torch: it is exact in float64 and runs on a CPU.
"""

import torch
from torch.nn.functional import linear


def linear_cross_entropy(
    hidden: torch.Tensor, head: torch.nn.Linear, targets: torch.Tensor, factors: torch.Tensor, chunk: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """(- sum_t factors_t log p_t, log p [N] without a gradient), where p_t = softmax(head(hidden_t))[targets_t].

    `hidden` is [N, D], `targets` and `factors` are [N]; the head is a plain linear layer with or without a bias, tied or not,
    trained or frozen. In autocast the products are in its dtype; softmax, loss and the head's gradient are fp32 (fp64 for fp64).
    """
    return LinearCrossEntropy.apply(hidden, head.weight, head.bias, targets, factors, chunk)


@torch.no_grad()
def target_log_probs(hidden: torch.Tensor, head: torch.nn.Linear, targets: torch.Tensor, chunk: int) -> torch.Tensor:
    """log softmax(head(hidden))[targets] [N] for hidden [N, D] and targets [N], without a gradient."""
    parts = [
        at_least_fp32(head(part)).log_softmax(1).gather(1, wanted[:, None])[:, 0]
        for part, wanted in zip(hidden.split(chunk), targets.split(chunk), strict=True)
    ]
    return torch.cat(parts)


class LinearCrossEntropy(torch.autograd.Function):
    """See `linear_cross_entropy`. The gradients are ready when the forward pass ends; the backward pass hands them out."""

    @staticmethod
    def forward(ctx, hidden, weight, bias, targets, factors, chunk):
        device, inputs_given = hidden.device.type, (hidden, weight, bias)
        narrow = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
        gradients = [
            wide_zeros(x) if needed else None for x, needed in zip(inputs_given, ctx.needs_input_grad, strict=False)
        ]
        parts = [at_least_fp32(hidden.new_zeros(0))]
        factors = factors.to(parts[0].dtype)
        with torch.autocast(device, enabled=False):
            narrow_weight, narrow_bias = weight.to(narrow), None if bias is None else bias.to(narrow)
            for start in range(0, len(hidden), chunk):
                part = slice(start, start + chunk)
                inputs = hidden[part].to(narrow)
                logits = at_least_fp32(linear(inputs, narrow_weight, narrow_bias))
                parts.append(into_gradient(logits, targets[part], factors[part]))
                add_gradients(gradients, part, logits.to(narrow), inputs, narrow_weight)
                # Else the next chunk's logits are made while these are still there.
                del logits
        log_probs = torch.cat(parts)
        ctx.gradients = [g if g is None else g.to(x.dtype) for g, x in zip(gradients, inputs_given, strict=True)]
        ctx.mark_non_differentiable(log_probs)
        return -(factors * log_probs).sum(), log_probs

    @staticmethod
    def backward(ctx, of_loss, _of_log_probs):
        gradients, ctx.gradients = ctx.gradients, None
        return *(None if g is None else g.mul_(of_loss.to(g.dtype)) for g in gradients), None, None, None


def into_gradient(logits: torch.Tensor, targets: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Turn logits [n, V] in place into factor (softmax - one-hot of the target); return log softmax at the targets [n]."""
    logits -= logits.amax(1, keepdim=True)
    at_target = logits.gather(1, targets[:, None])[:, 0]
    total = logits.exp_().sum(1)
    logits *= (factors / total)[:, None]
    logits.scatter_add_(1, targets[:, None], -factors[:, None])
    return at_target - total.log()


def add_gradients(
    gradients: list, part: slice, of_logits: torch.Tensor, inputs: torch.Tensor, weight: torch.Tensor
) -> None:
    """Add what one chunk contributes to the gradients of hidden states, weight and bias; None stands for one not wanted."""
    of_hidden, of_weight, of_bias = gradients
    if of_hidden is not None:
        of_hidden[part] = of_logits @ weight
    if of_weight is not None and of_weight.dtype == inputs.dtype:
        of_weight.addmm_(of_logits.T, inputs)
    elif of_weight is not None:
        of_weight += of_logits.T @ inputs
    if of_bias is not None:
        of_bias += of_logits.sum(0, dtype=of_bias.dtype)


def wide_zeros(like: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(like, dtype=torch.promote_types(like.dtype, torch.float32))


def at_least_fp32(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
