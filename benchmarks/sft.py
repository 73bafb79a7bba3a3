"""Tokens a second and peak memory of one SFT run: `opsft.sft.train` beside TRL's SFTTrainer, on the same updates.

    python -m benchmarks.sft --trl-python .venv-trl/bin/python --output benchmarks/results/sft-gpu.json

Both get the same examples in the same updates, the loss on the responses alone as a mean over the tokens of the update, AdamW, fp32
weights, and bf16 arithmetic on a GPU. TRL cuts an update into micro-batches of a fixed number of examples: as many as make at most
`--microbatch-tokens` tokens if all were the longest. Ours are bounded by the tokens of that largest micro-batch, padding included. Each runs in a process
of its own. Speed is that of the updates after the first. The benchmark fails where the losses of update 1 differ: it would compare two different things.
"""

import argparse
import itertools
import random
import sys

from benchmarks import record, setting
from benchmarks.child import measure_in_child
from opsft.tokenizer import load_tokenizer
from opsft_flow.configuration.config import fill_defaults, load_schema

SEED = 0
SHORTEST_RESPONSE = 60
TOLERANCE = {"float32": 1e-3, "bfloat16": 2e-2}
"""By how much the losses of update 1, in nats a token, may differ; both are rounded to four decimals."""


def make_updates(config: dict, tokenizer, options: argparse.Namespace) -> list[list[dict]]:
    """The examples of each update, shortest first: prompts of the training set, and texts of 60 to `--max-tokens` tokens to learn.

    The text of a response is that of other questions: natural language that is not the prompt's, so that a wrong mask shows in the loss.
    """
    recipe = config["recipes"][config["sweep"][0]["recipes"][0]]
    prompts = setting.read_prompts(config, recipe["problems"], tokenizer)
    texts = itertools.cycle(
        tokenizer(p.messages[-1]["content"], add_special_tokens=False)["input_ids"] for p in prompts
    )
    lengths = random.Random(SEED)
    examples = []
    for prompt in itertools.islice(itertools.cycle(prompts), options.updates * options.examples):
        length = lengths.randint(SHORTEST_RESPONSE, options.max_tokens)
        response = take(texts, length - 1)
        examples.append({"prompt_ids": prompt.ids, "response_ids": [*response, tokenizer.eos_token_id]})
    starts = range(0, len(examples), options.examples)
    return [sorted(examples[start : start + options.examples], key=total_length) for start in starts]


def take(texts, count: int) -> list[int]:
    """The first `count` token ids of as many texts as it takes."""
    ids: list[int] = []
    while len(ids) < count:
        ids += next(texts)
    return ids[:count]


def total_length(example: dict) -> int:
    return len(example["prompt_ids"]) + len(example["response_ids"])


def trl_microbatch(examples: int, longest: int, tokens: int) -> int:
    """Examples in a micro-batch of TRL: as many of the longest as fit in `tokens`, and one at least; they divide an update evenly."""
    return max(n for n in range(1, examples + 1) if examples % n == 0 and (n == 1 or n * longest <= tokens))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setting.add_arguments(parser)
    record.add_arguments(parser)
    parser.add_argument("--trl-python", default=sys.executable, help="the interpreter of TRL's environment")
    parser.add_argument("--updates", type=int, default=8)
    parser.add_argument("--examples", type=int, default=64, help="examples in an update")
    parser.add_argument("--max-tokens", type=int, default=200, help="longest response")
    parser.add_argument("--microbatch-tokens", type=int, default=16384)
    parser.add_argument("--gradient-checkpointing", action="store_true")
    options = parser.parse_args()
    if options.updates < 2:
        parser.error("--updates: 2 or more are needed, for the first is not timed")

    config = setting.load_config(options.configfile)
    name, checkpoint = setting.model_of(config, options.model)
    updates = make_updates(config, load_tokenizer(checkpoint), options)
    longest = max(total_length(example) for update in updates for example in update)
    microbatch = trl_microbatch(options.examples, longest, options.microbatch_tokens)
    schema = load_schema()
    given = {
        "normaliser": "token-mean",
        "warmup_updates": 0,
        "microbatch_tokens": microbatch * longest,
        "gradient_checkpointing": options.gradient_checkpointing,
        "checkpoint_every": options.updates,
    }
    job = {
        "checkpoint": str(checkpoint),
        "updates": updates,
        "settings": fill_defaults(given, schema["$defs"]["sft"], schema),
        "trl_microbatch": microbatch,
    }
    first = measure_in_child("benchmarks.sft_opsft", {**job, "updates": updates[:1]})
    ours = measure_in_child("benchmarks.sft_opsft", job)
    theirs = measure_in_child("benchmarks.sft_trl", job, options.trl_python)
    ours["first_loss"] = first["mean_loss"]
    check_losses(ours, theirs)
    sizes = {key: getattr(options, key) for key in ("updates", "examples", "max_tokens", "gradient_checkpointing")}
    parameters = {"model": name, "microbatch_tokens": microbatch * longest, "trl_microbatch": microbatch, **sizes}
    record.write_record(
        options, "sft", parameters, [{"trainer": "opsft", **ours}, {"trainer": "TRL SFTTrainer", **theirs}]
    )


def check_losses(ours: dict, theirs: dict) -> None:
    """Raises ValueError where the two did not train the same thing."""
    gap, allowed = abs(ours["first_loss"] - theirs["first_loss"]), TOLERANCE[ours["compute"]]
    if gap > allowed:
        raise ValueError(
            f"the losses of update 1 are {ours['first_loss']} (opsft) and {theirs['first_loss']} (TRL); "
            f"they may differ by {allowed}: the two do not train the same thing"
        )


if __name__ == "__main__":
    main()
