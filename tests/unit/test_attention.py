import math

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from opsft.attention import avoid_cudnn_attention


def test_cudnn_attention_is_not_chosen_any_more():
    before = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        torch.backends.cuda.enable_cudnn_sdp(True)
        avoid_cudnn_attention()
        assert not torch.backends.cuda.cudnn_sdp_enabled()
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("length", [64, 320, 384])
def test_the_gradient_of_a_masked_row_with_scores_far_below_zero_is_finite(length):
    """A head with a massive activation: every score is -120, and 320 is 64 more than a multiple of 128."""
    avoid_cudnn_attention()
    generator = torch.Generator("cuda").manual_seed(0)
    query, key, value = (
        torch.randn(2, 14, length, 64, device="cuda", dtype=torch.bfloat16, generator=generator) for _ in range(3)
    )
    query[..., 0], key[..., 0] = 1.0, -120 * math.sqrt(64)
    inputs = [tensor.requires_grad_() for tensor in (query, key, value)]
    mask = torch.ones(length, length, dtype=torch.bool, device="cuda").tril()[None, None]
    scaled_dot_product_attention(*inputs, attn_mask=mask).sum().backward()
    assert all(tensor.grad.isfinite().all() for tensor in inputs)
