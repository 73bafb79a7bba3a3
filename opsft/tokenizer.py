"""Load a policy's tokenizer exactly as its checkpoint defines it, and turn what was sampled into text."""

import os
import pathlib
from collections.abc import Sequence

from opsft.thinking import THINK, Marks


def load_tokenizer(checkpoint: str | os.PathLike, trust_remote_code: bool = False):
    """The tokenizer of `tokenizer.json` where the checkpoint has one, else what transformers makes of its other files.

    AutoTokenizer is not asked first: for some model types, Qwen2 among them, it puts the type's own splitting rules in the place
    of those in tokenizer.json, and a checkpoint with another tokenizer then gets other ids than it was trained on.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if (pathlib.Path(checkpoint) / "tokenizer.json").exists():
        return PreTrainedTokenizerFast.from_pretrained(checkpoint)
    return AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=trust_remote_code)


def disagreement(checkpoint: pathlib.Path, tokenizer, texts: Sequence[str], trust_remote_code: bool) -> str | None:
    """Where AutoTokenizer reads `tokenizer.json` otherwise than `tokenizer` does: the first of `texts` that gets other ids, or that is
    another one when the ids are read back. None where both agree, or there is no such file.
    """
    from transformers import AutoTokenizer

    if not (checkpoint / "tokenizer.json").exists():
        return None
    try:
        other = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=trust_remote_code)
    except Exception as error:  # of transformers, or code that comes with the model
        return f"AutoTokenizer fails ({type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]})"
    for text in texts:
        ids, others = (each(text, add_special_tokens=False)["input_ids"] for each in (tokenizer, other))
        if ids != others or tokenizer.decode(ids) != other.decode(ids):
            return f"{text[:80]!r} is {ids[:12]} and {others[:12]}, read back as {tokenizer.decode(ids)[:80]!r} and {other.decode(ids)[:80]!r}"
    return None


def response_texts(tokenizer, responses: Sequence[Sequence[int]], marks: Marks = THINK) -> list[str]:
    """The text of each response's token ids. Special tokens are left out, but for those of the marks of thinking, by which it is graded."""
    added = tokenizer.added_tokens_decoder
    special = {i for i, token in added.items() if token.special} | {*tokenizer.all_special_ids}
    left_out = {i for i in special if i not in added or not any(added[i].content in mark for mark in marks)}
    return [tokenizer.decode([i for i in ids if i not in left_out]) for ids in responses]
