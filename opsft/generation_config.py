"""The generation_config.json of a checkpoint, which is read for the tokens that end a response alone."""

import json
import pathlib


def read_generation_config(checkpoint: pathlib.Path) -> dict:
    """What the file says; empty where there is none.

    Raises ValueError where it is no JSON object, or where `eos_token_id` is neither a token id nor a list of them.
    """
    file = checkpoint / "generation_config.json"
    if not file.exists():
        return {}
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no JSON: {type(error).__name__}: {error}; get the file again") from None
    if not isinstance(read, dict):
        raise ValueError(f"{file} must hold a JSON object; found {read!r:.80}")
    end = read.get("eos_token_id")
    ids = end if isinstance(end, list) else [] if end is None else [end]
    if not all(type(one) is int and one >= 0 for one in ids):
        raise ValueError(f"{file}: eos_token_id must be a token id or a list of them, whole numbers; found {end!r:.80}")
    return read
