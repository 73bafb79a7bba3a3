"""Which prompts an iteration samples, how they are rendered, and the seed of every request."""

import hashlib
import random

from opsft.thinking import END, START


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


def render(tokenizer, messages: list[dict]) -> str:
    """The prompt as text: the tokenizer's chat template applied once, or the plain messages where it has none."""
    if tokenizer.chat_template is None:
        return "\n\n".join(message["content"] for message in messages) + "\n"
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def encode(tokenizer, text: str) -> tuple[int, ...]:
    """Token ids of a rendered prompt; special tokens stand in the text already and are not added again."""
    has_template = tokenizer.chat_template is not None
    return tuple(tokenizer(text, add_special_tokens=not has_template)["input_ids"])


def opens_thinking(prompt: str) -> bool:
    """True where the template has opened the thinking, so that an answer counts only after it is closed."""
    return prompt.rfind(START) > prompt.rfind(END)


def stop_tokens(tokenizer, generation_config: dict) -> tuple[int, ...]:
    """The ids that end a response: the tokenizer's end token and those of the generation config."""
    configured = generation_config.get("eos_token_id")
    ids = {tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])}
    return tuple(sorted(ids - {None}))
