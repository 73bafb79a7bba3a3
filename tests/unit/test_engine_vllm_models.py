"""The vllm engine against the transformers engine on real models, greedy and in float32."""

import os
import pathlib

import pytest

from opsft.end_tokens import end_tokens
from opsft.engines import EngineSettings, Request, load_engine
from opsft.prompts import encode, render
from opsft.tokenizer import load_tokenizer
from tests.unit.vllm_on_cpu import assert_same, ignore_progress, needs_vllm, sampling, save_model, start

pytestmark = pytest.mark.vllm
ROOT = pathlib.Path(__file__).resolve().parents[2]
TOY_MODEL = ROOT / "models" / "toy-reasoner"
SMALL_MODEL = pathlib.Path(os.environ.get("OPSFT_SMALL_MODEL", ROOT / "local" / "smollm2-135m"))
QUESTIONS = [
    "Natalia sold clips to 48 of her friends in April, and then half as many in May. How many did she sell altogether?",
    "Weng earns $12 an hour for babysitting. Yesterday she did 50 minutes of babysitting. How much did she earn?",
    "A pen costs $3 and a notebook twice as much. What do two pens and four notebooks cost?",
    "A train goes 60 miles an hour for 3 hours, then 40 miles an hour for 2 hours. How far does it go?",
    "James runs 3 sprints 3 times a week. He runs 60 meters each sprint. How many meters does he run a week?",
    "Toula bought 3 dozen donuts at $68 a dozen and 2 dozen cupcakes at $80 a dozen. What did she pay in all?",
]
SUMS = ["3+4+5", "9+9+9+1", "2+2", "7+1+8+6", "5+5+5+5+5", "1+2+3"]


def chat_requests(model_path: pathlib.Path, questions: list[str]) -> tuple[list[Request], tuple[int, ...]]:
    """Two samples of each question, as the model's chat template puts it, and the ids that end a response."""
    tokenizer = load_tokenizer(model_path)
    prompts = [encode(tokenizer, render(tokenizer, [{"role": "user", "content": text}])) for text in questions]
    return [Request(ids, seed=0, samples=2) for ids in prompts], end_tokens(tokenizer, model_path)


def assert_engines_agree(model_path: pathlib.Path, questions: list[str], max_tokens: int) -> set[str]:
    """Both engines, greedy and in float32; returns the finish reasons."""
    requests, stop_token_ids = chat_requests(model_path, questions)
    settings = EngineSettings(context=256, dtype="float32", enforce_eager=True, kv_cache_memory_mb=512)
    greedy = sampling(max_tokens=max_tokens, temperature=0, stop_token_ids=stop_token_ids)
    # vLLM changes the classes of some models, which transformers cannot load then.
    expected = load_engine("transformers", str(model_path), settings).generate(requests, greedy, ignore_progress)
    found = start(str(model_path), settings).generate(requests, greedy, ignore_progress)
    return assert_same(found, expected)


@needs_vllm
def test_both_engines_agree_on_the_toy_reasoner():
    assert assert_engines_agree(TOY_MODEL, SUMS, max_tokens=100) == {"stop"}


@needs_vllm
@pytest.mark.skipif(
    not (SMALL_MODEL / "config.json").exists(), reason=f"there is no checkpoint at {SMALL_MODEL} (OPSFT_SMALL_MODEL)"
)
def test_both_engines_agree_on_a_small_pretrained_model():
    assert "length" in assert_engines_agree(SMALL_MODEL, QUESTIONS, max_tokens=24)


@needs_vllm
def test_a_head_dim_without_a_kernel_is_refused_before_vllm_starts(tmp_path):
    narrow = save_model(tmp_path / "narrow", num_attention_heads=4)
    with pytest.raises(ValueError, match=r"the model's head_dim is 16; on a CPU vLLM can do 32, 64, .* transformers"):
        start(narrow, EngineSettings(context=96, dtype="float32"))
