"""What a base model is refused for before anything is sampled: its vocabulary, its end tokens, its files beside the weights."""

import json
import pathlib
import shutil

import pytest

from opsft.generation_config import read_generation_config
from opsft.model_check import check_model
from opsft.tokenizer import load_tokenizer

TOY = pathlib.Path(__file__).resolve().parents[2] / "models" / "toy-reasoner"
CONTEXT = 320


@pytest.fixture
def toy(tmp_path):
    """A copy of the toy reasoner, which has a vocabulary of 128."""
    return pathlib.Path(shutil.copytree(TOY, tmp_path / "toy"))


def look(folder: pathlib.Path, tokenizer=None, context: int = CONTEXT, adapters=()) -> None:
    check_model(folder, tokenizer or load_tokenizer(folder), False, context, list(adapters))


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


def test_an_end_token_that_the_model_cannot_sample_is_refused(toy):
    (toy / "generation_config.json").write_text('{"eos_token_id": 500}')
    tokenizer = load_tokenizer(toy)
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match=r"no response could end: the end tokens \[500\] are beyond .* of 128"):
        look(toy, tokenizer)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is no JSON: JSONDecodeError"),
        (b"\xff", "is no JSON: UnicodeDecodeError"),
        (b"[" * 100_000, "is no JSON: RecursionError"),
        (b"[1]", r"must hold a JSON object; found \[1\]"),
        *[
            (json.dumps({"eos_token_id": end}).encode(), "eos_token_id must be a token id or a list of them")
            for end in ("</s>", ["</s>"], [[1]], {"a": 1}, 1.5, True, -1)
        ],
    ],
)
def test_a_generation_config_that_names_no_end_tokens_is_one_message(toy, content, message):
    (toy / "generation_config.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"generation_config\.json:? {message}"):
        look(toy)


@pytest.mark.parametrize(("end", "read"), [(None, None), (3, 3), ([3, 4], [3, 4])])
def test_a_generation_config_may_name_no_end_token_one_or_several(tmp_path, end, read):
    assert read_generation_config(tmp_path) == {}
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": end, "temperature": 0.6}))
    assert read_generation_config(tmp_path)["eos_token_id"] == read
