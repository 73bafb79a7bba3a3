"""Load a policy's tokenizer exactly as its checkpoint defines it."""

import os
import pathlib


def load_tokenizer(checkpoint: str | os.PathLike, trust_remote_code: bool = False):
    """The tokenizer of `tokenizer.json` where the checkpoint has one, else what transformers makes of its other files.

    AutoTokenizer is not asked first: for some model types, Qwen2 among them, it puts the type's own splitting rules in the place
    of those in tokenizer.json, and a checkpoint with another tokenizer then gets other ids than it was trained on.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if (pathlib.Path(checkpoint) / "tokenizer.json").exists():
        return PreTrainedTokenizerFast.from_pretrained(checkpoint)
    return AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=trust_remote_code)
