"""What a model is asked, how it may end and between which marks it thinks: looked at before anything is sampled."""

import json
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opsft.chat_template import NoTemplate, TemplateEndless, TemplateFailed, template_of
from opsft.chat_template_worker import render_all
from opsft.end_tokens import TURN, end_tokens, shown
from opsft.prompts import encode, plain_text
from opsft.thinking import Marks, OtherMarks, choose_marks
from opsft.tokenizer import disagreement, load_tokenizer

SAMPLES = 20
"""Prompts of each problem set on which two readings of a tokenizer are compared."""


@dataclass(frozen=True)
class Model:
    """A model as the sweep will ask it: `ends` are the ids that end a response, `trusted` says whether code that comes with it may run."""

    name: str
    folder: pathlib.Path
    tokenizer: Any
    plain: bool
    marks: Marks
    ends: tuple[int, ...]
    trusted: bool

    def prompts(self, conversations: list[list[dict]]) -> list[str]:
        """Each conversation as the model is asked it. Raises ValueError where the chat template fails, or leaves a message of the first out."""
        if self.plain:
            return [plain_text(messages) for messages in conversations]
        try:
            prompts = render_all(template_of(self.tokenizer), [*conversations, *variants(conversations[0])])
        except TemplateFailed as error:
            raise template_error(self.name, self.folder, error) from None
        for message, varied in zip(conversations[0], prompts[len(conversations) :], strict=True):
            if varied == prompts[0]:
                left_out = TemplateFailed(f"it leaves out the {message['role']} message")
                raise template_error(self.name, self.folder, left_out)
        return prompts[: len(conversations)]

    def encode(self, prompt: str, problem: str) -> tuple[int, ...]:
        """The ids of a prompt. Raises ValueError where they would not be read as a prompt."""
        ids, first = encode(self.tokenizer, prompt, self.plain), self.tokenizer.bos_token_id
        where = f"the prompt of problem {problem}"
        if not ids:
            raise ValueError(f"{where} has no token: its tokenizer knows none of {prompt[:80]!r}")
        if first is not None and ids[:2] == (first, first):
            raise ValueError(
                f"{where} begins with {shown(self.tokenizer, [first])} twice: {template_file(self.folder)} or the question writes one, "
                f"and the tokenizer adds one; take one away, such as by add_bos_token: false in tokenizer_config.json"
            )
        last = self.tokenizer(prompt.rstrip(), add_special_tokens=self.plain)["input_ids"][-1:]
        if last and last[0] in self.ends:
            source = "tokenizer_config.json (add_eos_token)" if self.plain else template_file(self.folder)
            raise ValueError(
                f"{where} ends with {shown(self.tokenizer, last)}, an end token, and no model goes on behind it; mend {source} in {self.folder}"
            )
        return ids

    def describe(self) -> str:
        how = "asked in plain text, without a chat template" if self.plain else "asked by its chat template"
        ends = shown(self.tokenizer, self.ends)
        return f"{self.name}: {how}; a response ends with {ends}; thinks between {' and '.join(self.marks)}"

    def other_reading(self, texts: list[str]) -> Iterator[str]:
        """A warning where other tools will read the checkpoint otherwise."""
        found = disagreement(self.folder, self.tokenizer, texts, self.trusted)
        if found:
            yield (
                f"warning: model {self.name!r}: {self.folder / 'tokenizer.json'}, which is used here, and AutoTokenizer, by which other "
                f"tools read the checkpoint, do not agree: {found}"
            )


def read_model(name: str, block: dict, folder: pathlib.Path, engine: str) -> Model:
    """A model, looked at. `block` is its block of the configuration. Raises ValueError, with the file, for what cannot be run."""
    trusted, plain = block["trust_remote_code"], block["plain_prompts"]
    if engine == "transformers":
        from opsft.decodable import check_decodable
        from opsft.pretrained import read_config

        check_decodable(read_config(folder, trusted), str(folder))
    try:
        tokenizer = load_tokenizer(folder, trusted)
    except Exception as error:  # of transformers, tokenizers, json, or code that comes with the model
        first_line = str(error).strip().partition("\n")[0][:300]
        raise ValueError(
            f"the tokenizer in {folder} cannot be read: {type(error).__name__}: {first_line}; take its files anew"
        ) from None
    text = "" if plain else vetted_template(name, folder, tokenizer)
    try:
        marks = choose_marks(block["thinking"], {*tokenizer.get_vocab()}, text)
    except OtherMarks as error:
        raise ValueError(
            f"{folder}: {error}; set models.{name}.thinking to the marks between which it thinks, "
            f"such as {json.dumps(error.found)}"
        ) from None
    return Model(name, folder, tokenizer, plain, marks, end_tokens(tokenizer, folder, plain), trusted)


def variants(messages: list[dict]) -> list[list[dict]]:
    """The messages with one of them longer, for each of them: each must make another prompt."""
    longer = [{**message, "content": f"{message['content']} and more"} for message in messages]
    return [[*messages[:i], message, *messages[i + 1 :]] for i, message in enumerate(longer)]


def vetted_template(name: str, folder: pathlib.Path, tokenizer) -> str:
    """The text of the chat template, which has rendered a finished turn in a process of its own. It may raise: not all have a place for one."""
    try:
        template = template_of(tokenizer)
        render_all(template, [TURN], add_generation_prompt=False)
    except NoTemplate:
        raise ValueError(
            f"no chat template: neither chat_template.jinja nor a chat_template in tokenizer_config.json is in {folder}; "
            f"add the one that it was trained with, or set models.{name}.plain_prompts: true to ask it in plain text"
        ) from None
    except TemplateEndless as error:
        raise template_error(name, folder, error) from None
    except TemplateFailed:
        pass
    return template.text


def template_error(name: str, folder: pathlib.Path, error: TemplateFailed) -> ValueError:
    return ValueError(
        f"the chat template in {template_file(folder)} cannot be used: {error}; mend it, or set "
        f"models.{name}.plain_prompts: true to ask the model in plain text"
    )


def template_file(folder: pathlib.Path) -> pathlib.Path:
    """Where the chat template stands."""
    files = [folder / "chat_template.jinja", folder / "chat_template.json"]
    return next((file for file in files if file.exists()), folder / "tokenizer_config.json")
