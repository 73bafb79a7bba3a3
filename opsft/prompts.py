"""Which prompts an iteration samples, how they are rendered, and the seed of every request."""

import hashlib
import random

from opsft.chat_template import template_of
from opsft.thinking import THINK, Marks


def choose_problems(problem_ids: list[str], count: int, seed: int, iteration: int) -> list[str]:
    """The `count` problems of `iteration` (1, 2, ...): consecutive windows over one shuffle per epoch.

    No problem comes twice within an epoch, which has as many whole windows as fit. The order of `problem_ids` does not
    matter. Raises ValueError where there are fewer problems than `count`.
    """
    if count > len(problem_ids):
        raise ValueError(f"{count} prompts per iteration asked for, but the problem set has {len(problem_ids)}")
    epoch, window = divmod(iteration - 1, len(problem_ids) // count)
    shuffled = random.Random(f"{seed}/{epoch}").sample(sorted(problem_ids), len(problem_ids))
    return shuffled[window * count : (window + 1) * count]


def request_seed(seed: int, iteration: int, problem_id: str) -> int:
    """Seed of the first sample of a problem; sample k uses this plus k. 62 bits, the same on every machine."""
    digest = hashlib.sha256(repr((seed, iteration, problem_id)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2


def render(tokenizer, messages: list[dict], plain: bool = False) -> str:
    """The prompt as text: the tokenizer's chat template applied once, or the messages alone where it is to be `plain`.

    Raises TemplateFailed where there is no template, or it fails.
    """
    return plain_text(messages) if plain else template_of(tokenizer).render(messages)


def plain_text(messages: list[dict]) -> str:
    return "\n\n".join(message["content"] for message in messages) + "\n"


def encode(tokenizer, text: str, plain: bool = False) -> tuple[int, ...]:
    """Token ids of a rendered prompt; a template has written the special tokens into it, and they are not added again."""
    return tuple(tokenizer(text, add_special_tokens=plain)["input_ids"])


def opens_thinking(prompt: str, marks: Marks = THINK) -> bool:
    """True where the template has opened the thinking, so that an answer counts only after it is closed."""
    return prompt.rfind(marks.start) > prompt.rfind(marks.end)
