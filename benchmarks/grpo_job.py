"""What TRL's GRPO is told so that it does what a recipe does: the same prompts in the same iterations, samples, caps and updates."""

import pathlib

from benchmarks import setting
from opsft.budgets import largest_budget, planned_budget
from opsft.end_tokens import end_tokens
from opsft.prompts import choose_problems
from opsft.tokenizer import load_tokenizer
from opsft_flow.configuration.config import schedule_of
from opsft_flow.points import Point


def grpo_job(config: dict, point: Point, checkpoint: pathlib.Path, iterations: int, updates: int) -> dict:
    """Everything but `beta`, `use_vllm`, `every` and `folder`; each rollout batch is cut into `updates` updates.

    Its micro-batch is as many of the longest sequences as fit in `sft.microbatch_tokens`, and divides an update evenly.
    Raises ValueError where the rollouts cannot be cut so, or where a budget is known only by what was sampled before.
    """
    recipe = config["recipes"][point.recipe]
    tokenizer = load_tokenizer(checkpoint)
    by_id = {p.problem_id: p for p in setting.read_prompts(config, recipe["problems"], tokenizer)}
    drawn = [
        by_id[problem]
        for i in range(1, iterations + 1)
        for problem in choose_problems(list(by_id), recipe["rollouts"]["prompts"], point.seed, i)
    ]
    budgets, largest = caps(config, point, iterations)
    rollouts = recipe["rollouts"]["prompts"] * recipe["rollouts"]["samples"]
    longest = max(len(prompt.ids) for prompt in drawn) + largest
    microbatch = microbatch_of(rollouts, updates, recipe["sft"]["microbatch_tokens"] // longest)
    sft = recipe["sft"]
    return {
        "checkpoint": str(checkpoint),
        "prompts": [{"prompt": p.messages, "gold": p.answer, "opens_thinking": p.opens_thinking} for p in drawn],
        "samples": recipe["rollouts"]["samples"],
        "sampling": {key: recipe["rollouts"][key] for key in ("temperature", "top_p", "top_k")},
        "budgets": budgets,
        "stop_token_ids": end_tokens(tokenizer, checkpoint),
        "rollouts": rollouts,
        "updates": updates,
        "iterations": iterations,
        "microbatch": microbatch,
        "microbatch_tokens": microbatch * longest,
        "seed": point.seed,
        "warmup_updates": sft["warmup_updates"],
        "optimizer": {
            "learning_rate": sft["lr"],
            "adam_beta1": sft["beta1"],
            "adam_beta2": sft["beta2"],
            "adam_epsilon": sft["eps"],
            "weight_decay": sft["weight_decay"],
            "max_grad_norm": sft["clip"],
        },
        "verifier": config["problems"][recipe["problems"]]["verifier"],
        "verify": {"workers": config["resources"]["verify"]["threads"], **config["verify"]},
    }


def caps(config: dict, point: Point, iterations: int) -> tuple[list[int], int]:
    """The cap on a response in each iteration, and the largest of the schedule."""
    schedule = schedule_of(config, point.budget)
    if schedule["kind"] == "quantile":
        raise ValueError(
            f"--budget {point.budget} is a schedule of kind quantile; allowed: a number, or a schedule of kind steps or constant"
        )
    return [planned_budget(schedule, i) for i in range(1, iterations + 1)], largest_budget(schedule)


def microbatch_of(rollouts: int, updates: int, fitting: int) -> int:
    """The most sequences, `fitting` of them at most (but at least one), that cut each of `updates` equal updates evenly."""
    allowed = [n for n in range(1, max(1, fitting) + 1) if rollouts % (n * updates) == 0]
    if not allowed:
        raise ValueError(
            f"{rollouts} rollouts cannot be cut into {updates} updates of equal size; allowed: a divisor of {rollouts}"
        )
    return allowed[-1]
