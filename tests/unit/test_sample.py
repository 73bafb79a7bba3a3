"""What a sidecar says of the engine that sampled, and how many engines sample."""

import importlib.metadata

import pytest

from opsft.engines import EngineSettings
from opsft_flow.machine.gpus import Gpu, Loan
from opsft_flow.sampling import sample as sampling
from opsft_flow.sampling.sample import dtype_of, installed_version, plan_engines

GPU = Loan((Gpu("0", "GPU-0", 80_000),), ())
CPU = Loan((), ())


@pytest.mark.parametrize(
    ("asked", "loan", "used"),
    [
        ("auto", GPU, "bfloat16"),
        ("auto", CPU, "float32"),
        ("float16", GPU, "float16"),
        ("bfloat16", CPU, "bfloat16"),
    ],
)
def test_the_arithmetic_is_named_where_it_was_left_to_the_engine(asked, loan, used):
    assert dtype_of(EngineSettings(context=8, dtype=asked), loan) == used


def test_a_version_is_found_by_the_name_of_the_module_whatever_the_package_is_called():
    assert installed_version("transformers") == importlib.metadata.version("transformers")
    assert installed_version("yaml") == importlib.metadata.version("pyyaml")
    assert installed_version("no_such_module") is None


@pytest.mark.parametrize(
    ("gpus", "wanted", "engines", "part"),
    [
        ([Gpu("0", "GPU-0", 80_000)], "auto", 4, 0.2),
        ([Gpu("0", "GPU-0", 80_000, share=1, shares=2)], "auto", 4, 0.1),
        ([Gpu("0", "GPU-0", 24_000, share=0, shares=2)], "auto", 1, 0.4),
        ([Gpu("MIG", "MIG", 0, share=0, shares=2)], "auto", 1, 0.4),
        ([Gpu(index, f"GPU-{index}", 80_000, share=0, shares=2) for index in "01"], "auto", 1, 0.4),
        ([Gpu("0", "GPU-0", 80_000)], 2, 2, 0.4),
    ],
)
def test_engines_get_equal_parts_of_what_is_lent(gpus, wanted, engines, part, monkeypatch, tmp_path):
    monkeypatch.setattr(sampling, "weights_in_memory", lambda checkpoint, dtype: 950)
    settings = EngineSettings(context=8, gpu_memory_utilization=0.8)
    planned, each = plan_engines("vllm", settings, wanted, 16, tmp_path, Loan(tuple(gpus), ()))
    assert (planned, each.gpu_memory_utilization) == (engines, pytest.approx(part))
