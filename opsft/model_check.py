"""What a base model must have before anything is sampled from it: whole weights, enough positions, and a place for every token.

Nothing but the headers of its files is read, so that a model of any size costs a second.
"""

import pathlib

from transformers import PreTrainedModel

from opsft.checkpoint_files import some
from opsft.generation_config import read_generation_config
from opsft.lora import check_adapter
from opsft.pretrained import check_context, check_weights
from opsft.prompts import encode, render, stop_tokens


def check_model(
    folder: pathlib.Path, tokenizer, trust_remote_code: bool, context: int, adapters: list[tuple[int, list[str]]]
) -> None:
    """Raise ValueError where the checkpoint in `folder` cannot be sampled with `context` tokens or trained with `adapters` (rank, targets)."""
    end_tokens = stop_tokens(tokenizer, read_generation_config(folder))
    model = check_weights(folder, trust_remote_code)
    check_context(model.config, context, folder)
    check_vocabulary(model, tokenizer, end_tokens, folder)
    for rank, targets in adapters:
        check_adapter(model, rank, targets)


def check_vocabulary(model: PreTrainedModel, tokenizer, end_tokens: tuple[int, ...], folder: pathlib.Path) -> None:
    """Raise ValueError where the model has no place for a token that a prompt may hold, or for any that ends a response.

    A special token that no prompt holds may have none: Gemma 3 names one for images beyond the vocabulary of its text models.
    """
    size = model.get_input_embeddings().weight.shape[0]
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    prompt = encode(tokenizer, render(tokenizer, [{"role": "user", "content": "1"}]))
    needed = {*tokenizer.get_vocab().values()} - special | {*prompt}
    beyond = sorted(i for i in needed if i >= size)
    if beyond:
        names = [f"{tokenizer.convert_ids_to_tokens(i)!r} = {i}" for i in beyond]
        raise ValueError(
            f"{folder}: {len(beyond)} tokens of the tokenizer are beyond the model's vocabulary of {size}: {some(names)}. "
            "Take the tokenizer that the model was trained with, or resize the embeddings (resize_token_embeddings) and save again"
        )
    if end_tokens and min(end_tokens) >= size:
        raise ValueError(
            f"{folder}: no response could end: the end tokens {[*end_tokens]} are beyond the model's vocabulary of {size}; "
            "mend eos_token_id in generation_config.json and the tokenizer"
        )
