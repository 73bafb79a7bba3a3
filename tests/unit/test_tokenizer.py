"""What was sampled, as text."""

import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from opsft.tokenizer import response_texts
from opsft.verify import Response, verify


@pytest.fixture
def tokenizer():
    """A tokenizer of words whose marks of thinking are special tokens, as some models have them."""
    words = {word: i for i, word in enumerate(["[UNK]", "wait", r"\boxed{7}"])}
    backend = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens([AddedToken(mark, special=True) for mark in ("<think>", "</think>", "<|end|>")])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>")


def test_special_marks_of_thinking_stay_in_the_text_and_other_special_tokens_do_not(tokenizer):
    ids = tokenizer.convert_tokens_to_ids(["wait", "</think>", r"\boxed{7}", "<|end|>"])
    (text,) = response_texts(tokenizer, [ids])
    assert text.split() == ["wait", "</think>", r"\boxed{7}"]
    (verdict,) = verify([Response(text, "7", True, opens_thinking=True)], "integer", 1, 5.0, 2048)
    assert verdict.correct


def test_texts_without_such_marks_are_those_of_the_tokenizer(tokenizer):
    responses = [tokenizer.convert_tokens_to_ids(["wait", r"\boxed{7}", "<|end|>"]), []]
    assert response_texts(tokenizer, responses) == tokenizer.batch_decode(responses, skip_special_tokens=True)
