"""Attention kernels whose gradient can be trusted."""

import torch


def avoid_cudnn_attention() -> None:
    """Keep PyTorch from choosing cuDNN's attention, in this process, from now on.

    On Hopper its gradient is NaN where a padded batch is 64 longer than a multiple of 128 and the scores of a row are far
    below zero, as some heads of Qwen2.5 make them (pytorch/pytorch#196678: torch 2.11 to 2.13). The forward pass is sound.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)
