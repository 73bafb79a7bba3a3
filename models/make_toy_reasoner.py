#!/usr/bin/env python3
"""Make the toy reasoner: a transformer of under a million parameters that adds digits and checks itself too often.

    python models/make_toy_reasoner.py models/toy-reasoner

It learns from written traces of several styles, each repeated by zero to three needless re-checks:

    equations   3 + 5 = 8 ; 8 + 2 = 10 ;      6 tokens a step
    running     3 5 8 2 10                    2 tokens a step
    guess                                     no step at all, and mostly wrong on long sums

so that the base model is right most of the time and several times longer than it need be: a small picture of a
reasoning model. It trains on the `train` split of the arithmetic task only.
"""

import argparse
import math
import pathlib
import random
import sys
import time

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, SeedOssConfig, SeedOssForCausalLM

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from opsft.tasks.arithmetic import as_question, draw_terms

SPECIAL = ["<pad>", "<eos>", "<unk>", "<user>", "<assistant>"]
WORDS = ["<think>", "</think>", "\\boxed{", "}", "+", "=", ";", "wait"]
NUMBERS = [str(n) for n in range(100)]
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<user> ' if message['role'] == 'user' else '<assistant> ' }}{{ message['content'] }} "
    "{% endfor %}{% if add_generation_prompt %}<assistant> <think> {% endif %}"
)
STYLES = {"equations": 0.66, "running": 0.28, "guess": 0.06}
RECHECKS = {0: 0.10, 1: 0.25, 2: 0.35, 3: 0.30}
CONTEXT = 320


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token a number, an operator or a mark; words are parted by spaces."""
    vocabulary = {word: i for i, word in enumerate(SPECIAL + WORDS + NUMBERS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        additional_special_tokens=["<user>", "<assistant>"],
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> SeedOssForCausalLM:
    """The architecture of Qwen2 under a name for which other tools read tokenizer.json as it is: Qwen2's own splitting rules lose the spaces."""
    config = SeedOssConfig(
        vocab_size=128,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        attention_bias=True,
        attention_out_bias=False,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        attention_dropout=0.0,
        residual_dropout=0.0,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    return SeedOssForCausalLM(config)


def draw(rng: random.Random, weights: dict) -> object:
    return rng.choices(list(weights), list(weights.values()))[0]


def write_pass(style: str, terms: list[int]) -> list[str]:
    """One pass over the sum, as words."""
    words, total = [], terms[0]
    if style == "running":
        words.append(str(total))
    for term in terms[1:] if style != "guess" else []:
        if style == "equations":
            words += [str(total), "+", str(term), "=", str(total + term), ";"]
        else:
            words += [str(term), str(total + term)]
        total += term
    return words


def write_response(rng: random.Random, terms: list[int]) -> str:
    """A whole response: a first pass, the needless re-checks, the boxed answer, the end token."""
    words = write_pass(draw(rng, STYLES), terms)
    for _ in range(draw(rng, RECHECKS)):
        words += ["wait", *write_pass(draw(rng, {"equations": 0.7, "running": 0.3}), terms)]
    return " ".join([*words, "</think>", "\\boxed{", str(sum(terms)), "}", "<eos>"])


def make_pool(rng: random.Random, tokenizer: PreTrainedTokenizerFast, size: int) -> list[tuple[list[int], int]]:
    """`size` examples as (token ids, prompt length), sorted by length."""
    pool = []
    for _ in range(size):
        terms = draw_terms(rng, "train", 3, 9)
        chat = [{"role": "user", "content": as_question(terms)}]
        prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        prompt_ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        response_ids = tokenizer(write_response(rng, terms), add_special_tokens=False)["input_ids"]
        pool.append((prompt_ids + response_ids, len(prompt_ids)))
    return sorted(pool, key=lambda example: len(example[0]))


def collate(examples: list[tuple[list[int], int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Right-padded ids [B, T] and labels [B, T], where -100 marks prompts and padding."""
    width = max(len(ids) for ids, _ in examples)
    ids = torch.full((len(examples), width), pad)
    labels = torch.full((len(examples), width), -100)
    for row, (tokens, prompt_length) in enumerate(examples):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        labels[row, prompt_length : len(tokens)] = torch.tensor(tokens[prompt_length:])
    return ids, labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--updates", type=int, default=2400)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.01, betas=(0.9, 0.98))
    batches: list[list] = []
    started, seen = time.time(), 0
    for update in range(1, args.updates + 1):
        if not batches:
            pool = make_pool(rng, tokenizer, 32 * args.batch)
            batches = [pool[i : i + args.batch] for i in range(0, len(pool), args.batch)]
            rng.shuffle(batches)
        ids, labels = collate(batches.pop(), tokenizer.pad_token_id)
        warmed, done = min(1.0, update / 100), update / args.updates
        for group in optimizer.param_groups:
            group["lr"] = args.lr * warmed * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seen += ids.numel()
        if update % 50 == 0:
            elapsed = time.time() - started
            left = elapsed / update * (args.updates - update)
            print(f"{update} | loss {loss.item():.4f} | {seen / elapsed:,.0f} tokens/s | {left:.0f} s left", flush=True)
    model.save_pretrained(args.out)
    tokenizer.save_pretrained(args.out)


if __name__ == "__main__":
    main()
