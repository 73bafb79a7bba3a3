"""A whole run of TRL's GRPO, to lay beside a run of the workflow: length and accuracy against wall-clock, and peak memory.

    python -m benchmarks.grpo_run --budget 200 --beta 0 --iterations 10 --every 2 --output benchmarks/results/grpo-run-gpu.json

The truncation reward (right, and finished within the cap), the same prompts in each iteration, samples, cap, updates a rollout batch, learning rate
and warm-up as the workflow's run of the recipe with this budget. The policies that it leaves are measured after training as the workflow measures:
same engine, same benchmark, same verifier, same estimators, paired with the base model. The workflow's own run has its times in the sidecars.
"""

import argparse
import pathlib
import sys
import tempfile

from benchmarks import record, setting
from benchmarks.child import measure_in_child
from benchmarks.iteration import grpo_job
from benchmarks.measure_policies import measure_policies
from opsft.prompts import choose_problems
from opsft.tokenizer import load_tokenizer
from opsft_flow.points import Point


def run_job(config: dict, point: Point, checkpoint: pathlib.Path, iterations: int) -> dict:
    """What the run needs beyond one step: every iteration's prompts one after another, and the updates of each."""
    recipe = config["recipes"][point.recipe]
    job = grpo_job(config, point, checkpoint)
    tokenizer = load_tokenizer(checkpoint)
    by_id = {p.problem_id: p for p in setting.read_prompts(config, recipe["problems"], tokenizer)}
    drawn = [
        by_id[problem]
        for i in range(1, iterations + 1)
        for problem in choose_problems(list(by_id), recipe["rollouts"]["prompts"], point.seed, i)
    ]
    updates = recipe["sft"]["updates"] * recipe["sft"]["epochs"]
    rollouts = recipe["rollouts"]["prompts"] * recipe["rollouts"]["samples"]
    fitting = [n for n in range(1, job["microbatch"] + 1) if rollouts % (n * updates) == 0]
    if not fitting:
        raise ValueError(
            f"{rollouts} rollouts cannot be cut into {updates} updates of equal size; allowed: a divisor of {rollouts}"
        )
    return {
        **job,
        "prompts": [{"prompt": p.messages, "gold": p.answer, "opens_thinking": p.opens_thinking} for p in drawn],
        "rollouts": rollouts,
        "microbatch": fitting[-1],
        "updates": updates,
        "iterations": iterations,
        "warmup_updates": recipe["sft"]["warmup_updates"],
        "seed": point.seed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setting.add_arguments(parser)
    record.add_arguments(parser)
    parser.add_argument("--trl-python", default=sys.executable, help="the interpreter of TRL's environment")
    parser.add_argument("--trl-vllm", action="store_true", help="let TRL sample with vLLM, in its own process")
    parser.add_argument(
        "--beta", type=float, default=0.0, help="weight of the KL term; above 0 a reference model is kept"
    )
    parser.add_argument("--budget", type=int, default=200, help="cap of a response")
    parser.add_argument("--iterations", type=int, default=10, help="rollout batches")
    parser.add_argument("--every", type=int, default=2, help="iterations between two policies that are measured")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    config = setting.load_config(options.configfile)
    name, checkpoint = setting.model_of(config, options.model)
    point = Point(name, config["sweep"][0]["recipes"][0], options.budget, options.seed)
    benchmark = config["sweep"][0]["benchmarks"][0]
    with tempfile.TemporaryDirectory() as folder:
        job = run_job(config, point, checkpoint, options.iterations)
        asked = {"beta": options.beta, "use_vllm": options.trl_vllm, "every": options.every, "folder": folder}
        run = measure_in_child("benchmarks.grpo_run_trl", {**job, **asked}, options.trl_python)
        kept = {i: pathlib.Path(folder, f"iteration-{i}") for i in range(1, options.iterations + 1)}
        policies = {0: checkpoint, **{i: path for i, path in kept.items() if path.exists()}}
        measured = measure_policies(config, name, benchmark, policies)
    rows = [
        {"method": f"GRPO, beta {options.beta}", **run["iterations"].get(str(i), {}), **row}
        for i, row in measured.items()
    ]
    whole = {key: run[key] for key in ("load_s", "process", "versions")}
    parameters = {
        "model": name,
        "recipe": point.recipe,
        "budget": options.budget,
        "seed": options.seed,
        "microbatch": job["microbatch"],
        "sampled_by": "TRL with vLLM" if options.trl_vllm else "TRL with transformers",
        **whole,
    }
    record.write_record(options, "grpo_run", parameters, rows)


if __name__ == "__main__":
    main()
