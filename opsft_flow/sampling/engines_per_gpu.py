"""How many vLLM engines share a GPU, and what each gets of it."""

import dataclasses
import math
from pathlib import Path

from opsft.checkpoint_files import read_headers
from opsft.engines import EngineSettings

SMALL, MEDIUM = 2048, 4096
"""Weights as an engine holds them, in MiB, up to which four engines, or two, share a GPU.

Sampling from a small model is bound by the processor that drives the GPU, not by the GPU.
"""

THREADS_PER_ENGINE = 4
OVERHEAD_MB = 4096
"""What an engine takes beside weights and cache: CUDA's context, graphs, activations."""

LEAST_CACHE_MB = 256
"""A cache below which one engine more is of no use."""


def choose_engines(weights_mb: float, cache_mb: int | None, threads: int, memory_mb: float) -> int:
    """How many engines work best with so many CPU threads and so much of a GPU's memory; each has the weights, and a cache that has a size. All in MiB."""
    wanted = 4 if weights_mb <= SMALL else 2 if weights_mb <= MEDIUM else 1
    fitting = int(memory_mb // (weights_mb + OVERHEAD_MB + (cache_mb or LEAST_CACHE_MB)))
    return max(1, min(wanted, threads // THREADS_PER_ENGINE, fitting))


def share_of_gpu(
    settings: EngineSettings, engines: int, weights_mb: float, gpu_memory_mb: int, shares: int = 1
) -> EngineSettings:
    """The settings of each of `engines` engines that share what `settings` gives to one; a cache that has a size keeps it in each.

    They have one of `shares` equal parts of the GPU's memory. vLLM measures what is free on a GPU while its neighbours start, so each
    cache gets a size. Raises ValueError where that leaves no cache.
    """
    if engines == shares == 1:
        return settings
    share = settings.gpu_memory_utilization / engines / shares
    cache_mb = settings.kv_cache_memory_mb or int(gpu_memory_mb * share - weights_mb - OVERHEAD_MB)
    if cache_mb < 1:
        raise ValueError(
            f"engines_per_gpu {engines} with gpu_shares {shares} is not allowed: a part of {gpu_memory_mb * share:,.0f} MiB of the GPU does not hold the "
            f"model's {weights_mb:,.0f} MiB and {OVERHEAD_MB:,} MiB beside them"
        )
    sequences = -(-settings.max_sequences // engines)
    return dataclasses.replace(
        settings, gpu_memory_utilization=share, kv_cache_memory_mb=cache_mb, max_sequences=sequences
    )


def weights_in_memory(checkpoint: Path, dtype: str) -> float:
    """The size in MiB that the weights of a checkpoint have in an engine's arithmetic, from the headers of its files."""
    parameters = sum(math.prod(header.shape) for header in read_headers(checkpoint).values())
    return (4 if dtype == "float32" else 2) * parameters / 2**20
