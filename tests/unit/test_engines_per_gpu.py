"""How many engines share a GPU, and what each gets."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import save_file

from opsft.engines import EngineSettings
from opsft_flow.sampling.engines_per_gpu import choose_engines, share_of_gpu, weights_in_memory

SETTINGS = EngineSettings(context=1024, max_sequences=2560, gpu_memory_utilization=0.88)


@pytest.mark.parametrize(
    ("weights_mb", "cache_mb", "cores", "memory_mb", "engines"),
    [
        *[(950, None, 16, 72000, 4), (950, None, 8, 72000, 2), (950, None, 2, 72000, 1)],
        *[(2048, None, 16, 72000, 4), (3100, None, 16, 72000, 2), (15000, None, 64, 72000, 1)],
        *[(950, None, 16, 21600, 4), (950, None, 16, 17600, 3), (950, None, 16, 10560, 1), (950, None, 16, 5000, 1)],
        *[(950, 2600, 16, 72000, 4), (950, 30000, 16, 72000, 2), (950, 60000, 16, 72000, 1)],
    ],
)
def test_small_models_share_a_gpu_as_far_as_cores_drive_it_and_memory_holds_them(
    weights_mb, cache_mb, cores, memory_mb, engines
):
    assert choose_engines(weights_mb, cache_mb, cores, memory_mb) == engines


def test_one_engine_has_it_all():
    assert share_of_gpu(SETTINGS, 1, weights_mb=950, gpu_memory_mb=81559) is SETTINGS


def test_engines_that_share_get_equal_parts_and_a_cache_of_a_fixed_size():
    each = share_of_gpu(SETTINGS, 4, weights_mb=1000, gpu_memory_mb=80000)
    assert each == dataclasses.replace(
        SETTINGS, gpu_memory_utilization=0.22, kv_cache_memory_mb=17600 - 1000 - 4096, max_sequences=640
    )


def test_engines_on_a_share_of_a_gpu_get_a_part_of_that_and_all_the_sequences():
    each = share_of_gpu(SETTINGS, 1, weights_mb=1000, gpu_memory_mb=80000, shares=2)
    assert each == dataclasses.replace(SETTINGS, gpu_memory_utilization=0.44, kv_cache_memory_mb=35200 - 1000 - 4096)
    of_four = share_of_gpu(SETTINGS, 4, weights_mb=1000, gpu_memory_mb=80000, shares=2)
    assert (of_four.gpu_memory_utilization, of_four.max_sequences) == (0.11, 640)


def test_a_cache_that_the_user_has_sized_is_kept():
    sized = dataclasses.replace(SETTINGS, kv_cache_memory_mb=8192)
    assert share_of_gpu(sized, 4, weights_mb=1000, gpu_memory_mb=80000).kv_cache_memory_mb == 8192


def test_shares_that_hold_no_cache_are_refused():
    with pytest.raises(ValueError, match="engines_per_gpu 4 with gpu_shares 1 is not allowed: a part of 5,280 MiB"):
        share_of_gpu(SETTINGS, 4, weights_mb=2000, gpu_memory_mb=24000)


def test_weights_are_counted_in_the_arithmetic_of_the_engine_whatever_they_are_stored_in(tmp_path):
    shards = {
        "model-1.safetensors": {"a": torch.zeros(1024, 512), "b": torch.zeros(2, dtype=torch.bfloat16)},
        "model-2.safetensors": {"c": torch.zeros(1024, 512, dtype=torch.bfloat16)},
    }
    for name, tensors in shards.items():
        save_file(tensors, tmp_path / name)
    index = {"weight_map": {tensor: name for name, tensors in shards.items() for tensor in tensors}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert weights_in_memory(tmp_path, "bfloat16") == pytest.approx(2.0, abs=1e-5)
    assert weights_in_memory(tmp_path, "float32") == pytest.approx(4.0, abs=1e-5)
