"""What a base model must have before anything is sampled from it: whole weights, enough positions, and a place for every token.

Nothing but the headers of its files is read, so that a model of any size costs a second.
"""

import pathlib

from transformers import PreTrainedModel

from opsft.checkpoint_files import some
from opsft.lora import check_adapter
from opsft.pretrained import check_context, check_weights


def check_model(
    folder: pathlib.Path,
    tokenizer,
    prompt: tuple[int, ...],
    ends: tuple[int, ...],
    trust_remote_code: bool,
    context: int,
    adapters: list[tuple[int, list[str]]],
) -> None:
    """Raise ValueError where the checkpoint in `folder` cannot be sampled with `context` tokens or trained with `adapters` (rank, targets).

    `prompt` are the ids of any prompt, and `ends` those that end a response.
    """
    model = check_weights(folder, trust_remote_code)
    check_context(model.config, context, folder)
    check_vocabulary(model, tokenizer, prompt, ends, folder)
    for rank, targets in adapters:
        check_adapter(model, rank, targets)


def check_vocabulary(
    model: PreTrainedModel, tokenizer, prompt: tuple[int, ...], ends: tuple[int, ...], folder: pathlib.Path
) -> None:
    """Raise ValueError where the model has no place for a token that a prompt may hold, or for any that ends a response.

    A special token that no prompt holds may have none: Gemma 3 names one for images beyond the vocabulary of its text models.
    """
    size = model.get_input_embeddings().weight.shape[0]
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    needed = {*tokenizer.get_vocab().values()} - special | {*prompt}
    beyond = sorted(i for i in needed if i >= size)
    if beyond:
        names = [f"{tokenizer.convert_ids_to_tokens(i)!r} = {i}" for i in beyond]
        raise ValueError(
            f"{folder}: {len(beyond)} tokens of the tokenizer are beyond the model's vocabulary of {size}: {some(names)}. "
            "Take the tokenizer that the model was trained with, or resize the embeddings (resize_token_embeddings) and save again"
        )
    if ends and min(ends) >= size:
        raise ValueError(
            f"{folder}: no response could end: the end tokens {[*ends]} are beyond the model's vocabulary of {size}; "
            "mend eos_token_id in generation_config.json and the tokenizer"
        )
