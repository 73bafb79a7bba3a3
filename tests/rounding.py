"""How far rounding may move a result: bounds from dtype, length and the arithmetic, so that they hold on every machine.

Processors differ in the order of their sums and in fused products. A sum of n products differs from its exact value by at
most gamma(n) times the sum of the magnitudes, in any order (Higham, Accuracy and Stability of Numerical Algorithms, 2002,
lemma 3.1). Errors partly cancel, so real differences are far smaller; a fault of the program is far larger.
"""

import torch

from tests.conftest import TINY


def gamma(terms: int, dtype: torch.dtype = torch.float32) -> float:
    """The relative bound n u / (1 - n u) for a sum of `terms` products; u is half the distance from 1 to its successor."""
    error = terms * torch.finfo(dtype).eps / 2
    return error / (1 - error)


def per_token(shape: dict = TINY, dtype: torch.dtype = torch.float32) -> float:
    """Nats by which the log-probability of one token may differ, for a random Qwen2 of this shape.

    A logit has passed the three products of width and the one of the feed-forward width in each layer, attention over its
    positions, and the head. Its size is at most that of a normalised state times a row of the head.
    """
    width, positions = shape["hidden_size"], shape["max_position_embeddings"]
    layers = shape["num_hidden_layers"] * (3 * width + shape["intermediate_size"] + positions)
    return gamma(layers + width, dtype) * width * shape["initializer_range"]


def of_a_gradient(shape: dict = TINY, dtype: torch.dtype = torch.float32) -> float:
    """The relative difference, in the norm, of two gradients of the loss: the way back is as long as the way there."""
    return 2 * per_token(shape, dtype)


def of_an_update(shape: dict = TINY, dtype: torch.dtype = torch.float32) -> float:
    """The relative difference, in the norm, of two steps of AdamW.

    AdamW divides each gradient by its own size. A gradient that is smaller than the difference d of two of them may step
    either way: about a share d of all, which adds up to a distance of twice the root of d.
    """
    return 2 * of_a_gradient(shape, dtype) ** 0.5


def assert_close_in_norm(found: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    """The norm of the difference is at most `tolerance` of the norm of `expected`."""
    difference, size = (float(torch.linalg.vector_norm(t.double())) for t in (found - expected, expected))
    assert difference <= tolerance * size, f"{difference:.3g} apart, of {size:.3g}: allowed is {tolerance:.2g} of it"
