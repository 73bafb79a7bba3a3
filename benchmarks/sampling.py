"""Tokens a second of the sampling engines, on the same requests of the same model.

    python -m benchmarks.sampling --output benchmarks/results/sampling-gpu.json

Two sets of requests: `training` is one iteration's rollouts at temperature 1 with log-probabilities, `evaluation` a
benchmark's prompts, greedy, without. Each engine runs in a process of its own; its start is reported apart. Sampling is measured after one
short request, on one engine per GPU: `engines_per_gpu` in the results.
"""

import argparse
import sys

from benchmarks import record, setting
from benchmarks.child import measure_in_child
from opsft.end_tokens import end_tokens
from opsft.prompts import choose_problems, request_seed
from opsft.tokenizer import load_tokenizer
from opsft_flow.configuration.config import engine_for

ITERATION, SEED = 1, 0


def training_requests(config: dict, tokenizer, options: argparse.Namespace) -> dict:
    """One iteration's prompts x samples."""
    recipe = config["recipes"][config["sweep"][0]["recipes"][0]]
    by_id = {p.problem_id: p for p in setting.read_prompts(config, recipe["problems"], tokenizer)}
    chosen = choose_problems(list(by_id), options.prompts or recipe["rollouts"]["prompts"], SEED, ITERATION)
    samples = options.samples or recipe["rollouts"]["samples"]
    return {
        "name": "training",
        "requests": [(by_id[i].ids, request_seed(SEED, ITERATION, i), samples) for i in chosen],
        "sampling": {"max_tokens": options.max_tokens, "temperature": 1.0, "logprobs": True},
    }


def evaluation_requests(config: dict, tokenizer, options: argparse.Namespace) -> dict:
    """The prompts of the sweep's first benchmark, greedy."""
    benchmark = config["benchmarks"][config["sweep"][0]["benchmarks"][0]]
    prompts = setting.read_prompts(config, benchmark["problems"], tokenizer)[: options.evaluation_prompts]
    cap = options.evaluation_max_tokens or benchmark["max_tokens"]
    return {
        "name": "evaluation",
        "requests": [(prompt.ids, SEED, 1) for prompt in prompts],
        "sampling": {"max_tokens": cap, "temperature": 0.0, "logprobs": False},
    }


def same_responses(greedy: list[list]) -> float | None:
    """Share of the greedy responses in which the last engine agrees with the first token for token; None for the first."""
    if len(greedy) == 1:
        return None
    pairs = list(zip(greedy[0], greedy[-1], strict=True))
    return round(sum(one == other for one, other in pairs) / len(pairs), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setting.add_arguments(parser)
    record.add_arguments(parser)
    parser.add_argument(
        "--engines",
        nargs="+",
        default=["transformers", "vllm"],
        help="vllm:4 is four that share the GPU, counted as one",
    )
    parser.add_argument("--vllm-python", default=sys.executable, help="the interpreter of vLLM's environment")
    parser.add_argument("--prompts", type=int, help="training prompts (default: the recipe's)")
    parser.add_argument("--samples", type=int, help="samples per training prompt (default: the recipe's)")
    parser.add_argument("--max-tokens", type=int, default=200, help="cap of a training response")
    parser.add_argument("--evaluation-prompts", type=int, help="default: the whole benchmark")
    parser.add_argument("--evaluation-max-tokens", type=int, help="default: the benchmark's")
    options = parser.parse_args()

    config = setting.load_config(options.configfile)
    name, checkpoint = setting.model_of(config, options.model)
    tokenizer = load_tokenizer(checkpoint)
    stops = end_tokens(tokenizer, checkpoint)
    workloads = [requests(config, tokenizer, options) for requests in (training_requests, evaluation_requests)]
    for workload in workloads:
        workload["sampling"] |= {"top_p": 1.0, "top_k": 0, "stop_token_ids": stops}
    block = engine_for(config, name)
    settings = {key: value for key, value in block.items() if key != "name"}
    parameters = {
        "model": name,
        **{f"{workload['name']} requests": describe(workload) for workload in workloads},
        "engine settings": settings,
    }
    rows, greedy = [], []
    for contender in options.engines:
        engine, _, count = contender.partition(":")
        job = {"engine": engine, "engines": int(count or 1), "checkpoint": str(checkpoint)}
        job |= {"settings": settings, "workloads": workloads}
        python = options.vllm_python if engine == "vllm" else sys.executable
        measured = measure_in_child("benchmarks.sampling_engine", job, python)
        greedy.append(measured.pop("greedy"))
        rows.append(
            {
                "engine": f"{engine}, {count} on the GPU" if count else engine,
                **measured,
                "same_greedy_responses": same_responses(greedy),
            }
        )
        # Written again after each: where the next fails, what was measured stays.
        record.write_record(options, "sampling", parameters, rows)


def describe(workload: dict) -> str:
    requests, cap = workload["requests"], workload["sampling"]["max_tokens"]
    return f"{len(requests)} prompts x {requests[0][2]} samples, {cap} tokens at most"


if __name__ == "__main__":
    main()
