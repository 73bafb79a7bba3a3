"""Drawing one token per row from logits, by inversion of the cumulative distribution.

A row's token depends on its own logits and its own uniform number alone, so never on its neighbours in the batch.
"""

import torch

from opsft.engines import Sampling

SLICE = 2**25
"""Logits that are handled at a time: bounds the memory of sorts and float64 sums to some 1.5 GB."""


def draw(logits: torch.Tensor, uniforms: torch.Tensor, sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a token for each row of `logits` (rows, vocabulary) with `uniforms` (rows), float64 in [0, 1).

    Returns the token ids (rows), int64, and their raw log-probabilities (rows), float32, in nats.
    """
    rows = max(1, SLICE // logits.shape[1])
    slices = zip(logits.split(rows), uniforms.split(rows), strict=True)
    tokens, logprobs = zip(*(_draw_slice(part.float(), u, sampling) for part, u in slices), strict=True)
    return torch.cat(tokens), torch.cat(logprobs)


def _draw_slice(logits: torch.Tensor, uniforms: torch.Tensor, sampling: Sampling) -> tuple[torch.Tensor, torch.Tensor]:
    if sampling.temperature == 0:
        tokens = logits.argmax(dim=-1)
    else:
        probabilities = truncated_softmax(logits, sampling)
        tokens = _invert(probabilities, uniforms)
    logprobs = logits.gather(-1, tokens[:, None])[:, 0] - logits.logsumexp(dim=-1)
    return tokens, logprobs


def truncated_softmax(logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Probabilities (rows, vocabulary) after temperature, top-k and top-p; they need not sum to 1.

    Top-p keeps the smallest set of most probable tokens with a mass of `top_p` or more (Holtzman et al.,
    arXiv 1904.09751, equation 3); of equally probable tokens the one with the lower id comes first.
    """
    probabilities = torch.softmax(logits / sampling.temperature, dim=-1)
    if sampling.top_k == 0 and sampling.top_p == 1:
        return probabilities
    ranked, order = probabilities.sort(dim=-1, descending=True, stable=True)
    if sampling.top_k > 0:
        ranked[:, sampling.top_k :] = 0
    mass = ranked.cumsum(dim=-1, dtype=torch.float64)
    mass_before = mass - ranked
    ranked.masked_fill_(mass_before >= sampling.top_p * mass[:, -1:], 0)
    return torch.zeros_like(probabilities).scatter_(-1, order, ranked)


def _invert(probabilities: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """The first token of each row at which the cumulative distribution exceeds the uniform number.

    In float64: in float32 the tail of a large vocabulary would be lost to rounding.
    """
    cumulative = probabilities.cumsum(dim=-1, dtype=torch.float64)
    thresholds = uniforms[:, None] * cumulative[:, -1:]
    tokens = torch.searchsorted(cumulative, thresholds, right=True)[:, 0]
    return tokens.clamp_(max=probabilities.shape[1] - 1)
