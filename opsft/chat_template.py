"""A model's chat template: messages in, the text of a prompt out, and the same text on every day.

Templates come from the Hub and are programs. They run in jinja2's sandbox with what transformers gives them, but for what would make
a prompt another one tomorrow: `strftime_now` knows one date, and nothing is random.
"""

import datetime
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

DATE = datetime.datetime(2026, 1, 1)
"""The date that templates print: those of Llama 3.2, SmolLM3, Granite and gpt-oss ask for today's."""
MOST_CHARACTERS = 1_000_000
"""A longer prompt is none: it would be refused for its tokens, after all of them had been made."""


class TemplateFailed(ValueError):
    """A chat template has not given the text of a prompt; the message says why, in one line."""


class TemplateEndless(TemplateFailed):
    """A template takes more time or memory than it may have, so nothing renders it again."""


@dataclass(frozen=True)
class ChatTemplate:
    """The text of a template and the special tokens that it may name."""

    text: str
    special_tokens: dict[str, str | list[str]]

    def render(self, messages: list[dict], add_generation_prompt: bool = True) -> str:
        """The messages as a prompt. Raises TemplateFailed, and TemplateEndless where memory or characters run out.

        Nothing bounds its time: see `opsft.chat_template_worker`.
        """
        try:
            rendered = compiled(self.text).render(
                messages=messages,
                tools=None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **self.special_tokens,
            )
        except MemoryError as error:
            raise TemplateEndless(described(error)) from None
        except Exception as error:  # a template can raise anything
            raise TemplateFailed(described(error)) from None
        if len(rendered) > MOST_CHARACTERS:
            raise TemplateEndless(f"it makes {len(rendered):,} characters of one question; {MOST_CHARACTERS:,} at most")
        return rendered


class NoTemplate(TemplateFailed):
    """There is no chat template."""


def template_of(tokenizer) -> ChatTemplate:
    """The chat template of a tokenizer. Raises NoTemplate, or TemplateFailed where it has several and no default."""
    if not tokenizer.chat_template:
        raise NoTemplate("there is none")
    try:
        text = tokenizer.get_chat_template()
    except ValueError as error:
        raise TemplateFailed(described(error)) from None
    if not isinstance(text, str):
        raise TemplateFailed(f"it is no text but {type(text).__name__}")
    named = {name: value for name, value in tokenizer.special_tokens_map.items() if value is not None}
    return ChatTemplate(text, {name: [*map(str, v)] if isinstance(v, list) else str(v) for name, v in named.items()})


def described(error: Exception) -> str:
    """The kind of an error, and the first line of its message."""
    first_line = str(error).strip().partition("\n")[0][:300]
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__


@lru_cache(maxsize=16)
def compiled(text: str) -> jinja2.Template:
    return Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]).from_string(
        text
    )


class Sandbox(ImmutableSandboxedEnvironment):
    """jinja2's sandbox, with the functions of transformers' `render_jinja_template`."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.filters["tojson"] = to_json
        self.globals |= {"raise_exception": raise_exception, "strftime_now": DATE.strftime}
        del self.filters["random"], self.globals["lipsum"]

    def unsafe_undefined(self, obj: object, attribute: str) -> jinja2.Undefined:
        """Raise at once: jinja2 itself raises when the value is used, and prints nothing where it is only printed."""
        raise jinja2.exceptions.SecurityError(f"access to {attribute!r} of a {type(obj).__name__} is unsafe")


class Generation(jinja2.ext.Extension):
    """`{% generation %}` marks what an assistant has said; the text is the same without it."""

    tags: ClassVar = {"generation"}

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body).set_lineno(line)


def raise_exception(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
