"""The tokens that end a response: those that a checkpoint's files name, and the one that its chat template writes after a turn."""

import json
import pathlib

from opsft.chat_template import ChatTemplate, TemplateFailed, template_of

FILES = ("generation_config.json", "config.json")
ANSWER = "The answer is four"
TURN = [{"role": "user", "content": "What is two plus two?"}, {"role": "assistant", "content": ANSWER}]
"""A turn that is finished: what a template writes behind the answer is what a model writes there."""


class NoEnd(ValueError):
    """Nothing would end a response where the model means to end it; the message says what was found in which file."""


def end_tokens(tokenizer, checkpoint: pathlib.Path, plain: bool = False) -> tuple[int, ...]:
    """The ids that end a response: of the tokenizer, `generation_config.json`, `config.json`, and a finished turn of the chat template.

    Engines stop at these alone, and at nothing that they know themselves. `plain`: no chat template is used. Raises NoEnd where there
    is none, one is no token, or the template ends a turn with what is no token.
    """
    named = ({tokenizer.eos_token_id} - {None}) | ids_in(checkpoint, FILES[0], tokenizer)
    named = add_ordinary_last(named, ids_in(checkpoint, FILES[1], tokenizer), tokenizer, checkpoint)
    if not plain:
        named |= turn_end(tokenizer, template_of(tokenizer), named)
    if not named:
        raise NoEnd(
            f"no token ends a response: {checkpoint} names no eos_token in tokenizer_config.json, and no eos_token_id in "
            f"{' or '.join(FILES)}; write down the one that the model was trained to end with"
        )
    return tuple(sorted(named))


def ids_in(checkpoint: pathlib.Path, name: str, tokenizer) -> set[int]:
    """The end tokens that a file of the checkpoint names: one id, a list of ids, or none. Raises NoEnd for anything else."""
    file = checkpoint / name
    if not file.exists():
        return set()
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        found = content.get("eos_token_id", (content.get("text_config") or {}).get("eos_token_id"))
    except (ValueError, RecursionError, AttributeError) as error:
        raise NoEnd(f"{file} is no JSON object: {type(error).__name__}: {error}; get the file again") from None
    ids = found if isinstance(found, list) else [] if found is None else [found]
    wrong = [i for i in ids if type(i) is not int or not 0 <= i < len(tokenizer)]
    if wrong:
        raise NoEnd(
            f"{file}: eos_token_id: found {wrong[0]!r}; allowed: the id of a token, from 0 to {len(tokenizer) - 1}, "
            "or a list of such ids"
        )
    return set(ids)


def add_ordinary_last(named: set[int], others: set[int], tokenizer, checkpoint: pathlib.Path) -> set[int]:
    """Both sets. An architecture has a default in config.json, which in another vocabulary is an ordinary word: refused."""
    ordinary = others - named - special_ids(tokenizer)
    if named and ordinary:
        i = min(ordinary)
        raise NoEnd(
            f"{checkpoint / FILES[1]}: eos_token_id: found {i}, the ordinary token {shown(tokenizer, [i])}; the other files of the "
            f"checkpoint end a response with {shown(tokenizer, named)}; write down the right id"
        )
    return named | others


def turn_end(tokenizer, template: ChatTemplate, named: set[int]) -> set[int]:
    """The first special token that the template writes behind a finished answer; none where it writes one of `named`, writes nothing, or
    has no place for answers.

    The first alone may be no end: some models close a part of their turn by a special token, and their thinking by the same.
    Raises NoEnd where what the template writes holds no special token and none of `named`: a response would go on behind it.
    """
    try:
        text = template.render(TURN, add_generation_prompt=False)
    except TemplateFailed:
        return set()
    behind = text.rpartition(ANSWER)[2].strip() if ANSWER in text else ""
    if not behind:
        return set()
    ids = tokenizer(behind, add_special_tokens=False)["input_ids"]
    if named.intersection(ids):
        return set()
    marks = [i for i in ids if i in special_ids(tokenizer)]
    if not marks:
        raise NoEnd(
            f"its chat template ends a turn with {behind[:80]!r}, which is no special token of its tokenizer, and no end token follows: "
            "a response would go on; make it a special token, or use the chat template that the model was trained with"
        )
    return {marks[0]}


def special_ids(tokenizer) -> set[int]:
    """The ids of special and added tokens, but for the one that stands for what is unknown."""
    return {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder} - {tokenizer.unk_token_id}


def shown(tokenizer, ids) -> str:
    return ", ".join(repr(tokenizer.convert_ids_to_tokens(i)) for i in sorted(ids))
