"""What is refused before vLLM starts; for most of it vLLM need not be installed."""

import importlib.util
from types import SimpleNamespace

import pytest
import torch
from transformers import Qwen2Config

from opsft.engines import EngineSettings, load_engine
from opsft.engines import vllm as subject
from opsft.engines._vllm_checks import check_free_memory, check_heads, check_platform

CONFIG = Qwen2Config(hidden_size=96, num_attention_heads=6)


def platform(kind: str, devices: int = 1, dtypes=(torch.bfloat16, torch.float16, torch.float32)):
    """What vLLM knows of a machine."""
    return SimpleNamespace(is_cpu=lambda: kind == "cpu", device_count=lambda: devices, supported_dtypes=list(dtypes))


@pytest.mark.parametrize("tensor_parallel", [1, 2, 3, 6])
def test_heads_that_can_be_shared_out_evenly_pass(tensor_parallel):
    check_heads(CONFIG, tensor_parallel, "m")


def test_heads_that_cannot_be_shared_out_are_refused():
    with pytest.raises(
        ValueError, match="tensor_parallel 4 is not allowed: m has 6 attention heads; allowed: 1, 2, 3, 6"
    ):
        check_heads(CONFIG, 4, "m")


def test_a_machine_with_enough_gpus_passes():
    check_platform(platform("cuda", devices=2), CONFIG, EngineSettings(context=8, tensor_parallel=2), "bfloat16")


@pytest.mark.parametrize(
    ("machine", "settings", "dtype", "message"),
    [
        (platform("cuda"), {"device": "cpu"}, "float32", "device 'cpu' is not allowed: .* built for auto or cuda"),
        (platform("cpu"), {"device": "cuda"}, "float32", "device 'cuda' is not allowed: .* built for auto or cpu"),
        (
            platform("cuda"),
            {"tensor_parallel": 2},
            "float32",
            "tensor_parallel 2 .* sees 1 GPUs here; allowed: 1 at most",
        ),
        (
            platform("cpu"),
            {"tensor_parallel": 2},
            "float32",
            "tensor_parallel 2 .* sees 1 CPU here; allowed: 1 at most",
        ),
        (
            platform("cuda", dtypes=[torch.float16, torch.float32]),
            {},
            "bfloat16",
            "dtype 'bfloat16' is not allowed: vLLM supports float16, float32 here",
        ),
    ],
)
def test_what_the_machine_cannot_do_is_refused(machine, settings, dtype, message):
    with pytest.raises(ValueError, match=message):
        check_platform(machine, CONFIG, EngineSettings(context=8, **settings), dtype)


def test_too_little_free_memory_is_named_with_what_is_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (20 << 30, 80 << 30))
    check_free_memory(EngineSettings(context=8, gpu_memory_utilization=0.2))
    with pytest.raises(
        ValueError, match=r"gpu_memory_utilization 0.5 .* 20.0 of 80.0 GiB are free on cuda:0; allowed: 0.25 at most"
    ):
        check_free_memory(EngineSettings(context=8, gpu_memory_utilization=0.5))


def test_the_environment_is_set_only_where_the_user_has_not(monkeypatch):
    monkeypatch.setattr(subject.os, "environ", {"DO_NOT_TRACK": "0"})
    monkeypatch.setattr(subject.importlib.util, "find_spec", lambda name: None)
    subject.set_environment()
    assert subject.os.environ == {"DO_NOT_TRACK": "0", "VLLM_NO_USAGE_STATS": "1", "VLLM_USE_FLASHINFER_SAMPLER": "0"}
    subject.os.environ.clear()
    monkeypatch.setattr(subject.importlib.util, "find_spec", lambda name: object())
    subject.set_environment()
    assert subject.os.environ == {"DO_NOT_TRACK": "1", "VLLM_NO_USAGE_STATS": "1"}


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_missing_vllm_is_one_clear_error(tmp_path):
    CONFIG.save_pretrained(tmp_path)
    with pytest.raises(ImportError, match="the vllm engine needs vLLM, which cannot be imported here"):
        load_engine("vllm", str(tmp_path), EngineSettings(context=96))
