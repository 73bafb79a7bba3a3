"""What a base model is refused for before anything is sampled: its positions, its adapters, its vocabulary, its end tokens."""

import json
import pathlib
import shutil

import pytest

from opsft.end_tokens import end_tokens
from opsft.model_check import check_model
from opsft.prompts import encode, render
from opsft.tokenizer import load_tokenizer

TOY = pathlib.Path(__file__).resolve().parents[2] / "models" / "toy-reasoner"
CONTEXT = 320


@pytest.fixture
def toy(tmp_path):
    """A copy of the toy reasoner, which has a vocabulary of 128."""
    return pathlib.Path(shutil.copytree(TOY, tmp_path / "toy"))


def look(folder: pathlib.Path, tokenizer=None, context: int = CONTEXT, adapters=()) -> None:
    tokenizer = tokenizer or load_tokenizer(folder)
    prompt = encode(tokenizer, render(tokenizer, [{"role": "user", "content": "1"}]))
    check_model(folder, tokenizer, prompt, end_tokens(tokenizer, folder), False, context, list(adapters))


def enlarged(folder: pathlib.Path, token: str, special: bool):
    """The tokenizer with so many more tokens that the last one, `token`, is beyond the model's vocabulary."""
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens([f"[more {i}]" for i in range(128 - len(tokenizer))])
    tokenizer.add_tokens([token], special_tokens=special)
    assert tokenizer.convert_tokens_to_ids(token) == 128
    return tokenizer


def test_a_whole_model_passes_with_what_is_to_be_done_with_it(toy):
    look(toy, adapters=[(8, ["q_proj", "v_proj"])])


def test_context_and_adapters_must_fit_the_model(toy):
    with pytest.raises(ValueError, match=r"context 321 is not allowed: .*toy was built for 320 tokens at most"):
        look(toy, context=321)
    with pytest.raises(ValueError, match="did you mean 'q_proj'"):
        look(toy, adapters=[(8, ["v_proj"]), (8, ["q_proy"])])


def test_a_token_without_a_place_in_the_model_is_refused_where_a_prompt_may_hold_it(toy):
    message = r"1 tokens of the tokenizer are beyond the model's vocabulary of 128: '<new>' = 128\."
    with pytest.raises(ValueError, match=message):
        look(toy, enlarged(toy, "<new>", special=False))
    look(toy, enlarged(toy, "<new>", special=True))
    used = enlarged(toy, "<new>", special=True)
    used.chat_template = "<new> " + used.chat_template
    with pytest.raises(ValueError, match=message):
        look(toy, used)


def test_end_tokens_that_the_model_cannot_sample_are_refused(toy):
    tokenizer = enlarged(toy, "<new>", special=True)
    tokenizer.eos_token = "<new>"
    for name in ("generation_config.json", "config.json"):
        content = json.loads((toy / name).read_text())
        (toy / name).write_text(json.dumps(content | {"eos_token_id": 128}))
    with pytest.raises(ValueError, match=r"no response could end: the end tokens \[128\] are beyond .* of 128"):
        look(toy, tokenizer)
