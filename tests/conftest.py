"""Fixtures that several tests share: a tiny random model, and examples for it."""

import pytest

# A Qwen2 of 2 layers of width 64 with a vocabulary of 64 and tied embeddings.
TINY = {
    "vocab_size": 64,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
    "initializer_range": 0.2,
}


@pytest.fixture
def tiny_model():
    """A Qwen2 of the size `TINY` with random weights, in float32."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    torch.set_num_threads(1)
    return Qwen2ForCausalLM(Qwen2Config(**TINY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole sweeps first: where files are handed out to several processes, one that takes minutes must not be the last."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)
