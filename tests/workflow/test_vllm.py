"""One tiny point, sampled by the vllm engine from end to end."""

import json

import pyarrow.parquet as pq
import pytest

from tests.unit.vllm_on_cpu import CPU_ENVIRONMENT, needs_vllm
from tests.workflow.conftest import Checkout, copy_workflow

pytestmark = pytest.mark.vllm
ENGINE = {"name": "vllm", "dtype": "float32", "enforce_eager": True, "kv_cache_memory_mb": 64, "max_sequences": 64}
POINT = "results/toy/opsft/L40/seed0"


@needs_vllm
def test_a_point_is_sampled_by_vllm_and_trained_on_and_then_nothing_is_to_be_done(tmp_path, monkeypatch):
    for name, value in (CPU_ENVIRONMENT | {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}).items():
        monkeypatch.setenv(name, value)
    checkout = Checkout(tmp_path)
    copy_workflow(checkout.folder)
    checkout.change(engine=ENGINE, recipes={"opsft": {"iterations": 1}})
    target = f"{POINT}/iter1/eval/sums/metrics.json"
    checkout.run("--cores", "2", target)

    trained = pq.read_table(tmp_path / POINT / "iter1" / "train" / "rollouts.parquet")
    measured = pq.read_table(tmp_path / POINT / "iter1" / "eval" / "sums" / "rollouts.parquet")
    assert (len(trained), trained["logprob"].null_count) == (24 * 4, 0)
    assert (len(measured), measured["logprob"].null_count) == (24 * 2, 24 * 2)
    metrics = json.loads((tmp_path / POINT / "iter1" / "policy.json").read_text())["metrics"]
    assert metrics["tokens_trained"] > 0
    assert metrics["logprob_gap_first"] < 1e-4
    assert checkout.would_run(target) == {}
