"""Checkpoints without weights, made in a moment: a tokenizer of words and a chat template."""

import json
import pathlib

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

WORDS = ["[UNK]", "1", "+", "2", "What", "is", "user", "assistant", "say", r"\boxed{2}", "word"]
SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
CHAT = (
    "{% for m in messages %}<|im_start|> {{ m.role }} {{ m.content }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)
QWEN = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}


def save_checkpoint(
    folder: pathlib.Path,
    template: str | None = CHAT,
    eos: str | None = "<|im_end|>",
    special: tuple[str, ...] = (),
    config: dict | None = None,
    generation: dict | None = None,
    adds: str = "",
) -> pathlib.Path:
    """Write config and tokenizer. `special` are more special tokens; `adds` is what the tokenizer adds to a text: `bos`, `eos` or nothing."""
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens([AddedToken(token, special=True) for token in (*SPECIAL, *special)])
    if adds:
        single = {"bos": "<s> $A", "eos": "$A </s>"}[adds]
        tokens = [(token, backend.token_to_id(token)) for token in SPECIAL[:2]]
        backend.post_processor = TemplateProcessing(single=single, special_tokens=tokens)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token=eos, unk_token="[UNK]", chat_template=template
    )
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(QWEN | (config or {})))
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder
