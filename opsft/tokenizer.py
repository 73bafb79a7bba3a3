"""Load a policy's tokenizer exactly as its checkpoint defines it, and turn what was sampled into text."""

import os
import pathlib
from collections.abc import Sequence

from opsft.thinking import END, START


def load_tokenizer(checkpoint: str | os.PathLike, trust_remote_code: bool = False):
    """The tokenizer of `tokenizer.json` where the checkpoint has one, else what transformers makes of its other files.

    AutoTokenizer is not asked first: for some model types, Qwen2 among them, it puts the type's own splitting rules in the place
    of those in tokenizer.json, and a checkpoint with another tokenizer then gets other ids than it was trained on.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if (pathlib.Path(checkpoint) / "tokenizer.json").exists():
        return PreTrainedTokenizerFast.from_pretrained(checkpoint)
    return AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=trust_remote_code)


def response_texts(tokenizer, responses: Sequence[Sequence[int]]) -> list[str]:
    """The text of each response's token ids. Special tokens are left out, but for those that mark thinking, by which a response is graded."""
    added = tokenizer.added_tokens_decoder
    special = {i for i, token in added.items() if token.special} | {*tokenizer.all_special_ids}
    left_out = {i for i in special if i not in added or added[i].content not in (START, END)}
    return [tokenizer.decode([i for i in ids if i not in left_out]) for ids in responses]
