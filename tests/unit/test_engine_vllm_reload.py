"""The vllm engine takes the weights of another checkpoint: the stale ones must all be gone, caches included."""

import pytest
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from opsft.engines import EngineSettings, Request, load_engine
from tests.unit.vllm_on_cpu import assert_same, ignore_progress, needs_vllm, sampling, save_model, start

pytestmark = pytest.mark.vllm


QWEN = (Qwen2Config, Qwen2ForCausalLM)
LLAMA = (LlamaConfig, LlamaForCausalLM)


@needs_vllm
@pytest.mark.parametrize(
    ("kind", "tied", "in_process"), [(QWEN, False, True), (QWEN, True, True), (LLAMA, True, True), (QWEN, True, False)]
)
def test_reloaded_weights_give_what_a_fresh_engine_gives(tmp_path, kind, tied, in_process):
    first, second = (save_model(tmp_path / f"{seed}", *kind, seed, tie_word_embeddings=tied) for seed in (0, 1))
    settings = EngineSettings(context=512, dtype="float32", enforce_eager=True, kv_cache_memory_mb=32)
    engine = start(first, settings, in_process)
    # Prompts of several blocks of the key-value cache, so that their prefixes are kept.
    requests = [Request(tuple(3 + (i + k) % 61 for k in range(300)), seed=i, samples=2) for i in range(4)]
    results = {}
    for path in (first, second, first):
        engine.sleep()
        engine.load_weights(path)
        fresh = load_engine("transformers", path, settings)
        results[path] = engine.generate(requests, sampling(temperature=0), ignore_progress)
        assert_same(results[path], fresh.generate(requests, sampling(temperature=0), ignore_progress))
    assert results[first] != results[second]


@needs_vllm
def test_weights_that_a_file_lacks_are_an_error_when_they_are_loaded_again(tmp_path):
    first, second = (save_model(tmp_path / f"{seed}", *QWEN, seed) for seed in (0, 1))
    engine = start(first, EngineSettings(context=512, dtype="float32", enforce_eager=True, kv_cache_memory_mb=32), True)
    stored = load_file(f"{second}/model.safetensors")
    kept = {name: tensor for name, tensor in stored.items() if ".1." not in name}
    save_file(kept, f"{second}/model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        Exception, match=r"model\.safetensors: \d+ weights of the model are in no file: model\.layers\.1"
    ):
        engine.load_weights(second)
