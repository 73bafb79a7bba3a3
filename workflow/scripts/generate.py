"""Sample responses from a policy: training rollouts and benchmarks alike."""

import json
import pathlib

from opsft.engines import EngineSettings, Request, Sampling, check_requests
from opsft.prompts import choose_problems, encode, opens_thinking, render, request_seed, stop_tokens
from opsft.tokenizer import load_tokenizer
from opsft_flow.node import node
from opsft_flow.policy import checkpoint_of
from opsft_flow.progress import reporter
from opsft_flow.sampling import sample
from opsft_flow.tables import PROBLEM, ROLLOUT, read_table, write_table


def choose(rows: list[dict], rollouts: dict, iteration: int) -> list[dict]:
    """The problems to sample: all of a benchmark, or the iteration's prompts in training."""
    if rollouts["prompts"] is None:
        return rows
    by_id = {row["problem_id"]: row for row in rows}
    return [by_id[i] for i in choose_problems(list(by_id), rollouts["prompts"], rollouts["seed"], iteration)]


def read_generation_config(checkpoint: pathlib.Path) -> dict:
    file = checkpoint / "generation_config.json"
    return json.loads(file.read_text()) if file.exists() else {}


def as_rows(problem: dict, request: Request, prompt: str, completions: list, tokenizer) -> list[dict]:
    """The rollouts of one problem."""
    return [
        {
            "problem_id": problem["problem_id"],
            "sample": sample,
            "seed": request.seed + sample,
            "prompt_ids": request.prompt_ids,
            "response_ids": completion.token_ids,
            "text": tokenizer.decode(completion.token_ids, skip_special_tokens=True),
            "tokens": len(completion.token_ids),
            "finish_reason": completion.finish_reason,
            "logprob": completion.logprob,
            "opens_thinking": opens_thinking(prompt),
        }
        for sample, completion in enumerate(completions)
    ]


def main() -> None:
    with node(__doc__, inputs=("serving", "policy", "problems"), outputs=("rollouts",)) as job:
        rollouts, iteration = job.settings["rollouts"], job.settings["iteration"]
        problems = choose(read_table(job.problems, PROBLEM), rollouts, iteration)
        checkpoint = checkpoint_of(job.policy)
        with job.phase("imports"):
            import torch

            torch.set_num_threads(job.threads)
        settings = EngineSettings(**{key: value for key, value in job.settings["engine"].items() if key != "name"})
        with job.phase("prompts"):
            tokenizer = load_tokenizer(checkpoint, settings.trust_remote_code)
            prompts = [render(tokenizer, problem["prompt"]) for problem in problems]
            requests = [
                Request(
                    prompt_ids=encode(tokenizer, prompt),
                    seed=request_seed(rollouts["seed"], iteration, problem["problem_id"]),
                    samples=rollouts["samples"],
                )
                for problem, prompt in zip(problems, prompts, strict=True)
            ]
            sampling = Sampling(
                max_tokens=rollouts["max_tokens"],
                temperature=rollouts["temperature"],
                top_p=rollouts["top_p"],
                top_k=rollouts["top_k"],
                stop_token_ids=stop_tokens(tokenizer, read_generation_config(checkpoint)),
                logprobs=rollouts["logprobs"],
            )
            # The engine checks too; here a prompt that does not fit is refused before the engine has cost anything.
            check_requests(requests, sampling, settings.context, len(tokenizer))
        most = sum(request.samples for request in requests) * sampling.max_tokens
        completions = sample(job, checkpoint, requests, sampling, reporter("responses", "tokens", most=most))
        with job.phase("write"):
            table = zip(problems, requests, prompts, completions, strict=True)
            rows = [row for entry in table for row in as_rows(*entry, tokenizer)]
            write_table(job.rollouts, rows, ROLLOUT)
        tokens = sum(row["tokens"] for row in rows)
        job.facts |= {"tokens": tokens, "tokens_per_second": round(tokens / job.phases["sample"], 1)}
        print(f"{len(rows):,} responses, {tokens:,} tokens, {tokens / job.phases['sample']:,.0f} tokens/s", flush=True)


if __name__ == "__main__":
    main()
