"""Sample responses from a policy: training rollouts and benchmarks alike.

`--shard 2 --shards 3` samples the second of three parts. `--shard all` samples everything where there is one shard, and
puts the parts together where there are more. `--budget` is the filter.json that holds the cap, or `none` where the settings do.
`--measured` names the rollouts that stand for those of a policy whose point has stopped, or is `none`. `--stopped` is the
manifest that says whether it has, or `none` where that of the sampled policy does.
"""

import pathlib
import shutil

from opsft.end_tokens import end_tokens
from opsft.engines import EngineSettings, Request, Sampling, check_requests
from opsft.prompts import choose_problems, encode, opens_thinking, render, request_seed
from opsft.thinking import Marks
from opsft.tokenizer import load_tokenizer, response_texts
from opsft_flow.files import atomic, read_json
from opsft_flow.integrity import check_result
from opsft_flow.machine.unseen import forget
from opsft_flow.node import Node, node
from opsft_flow.places import shard_file
from opsft_flow.progress import reporter
from opsft_flow.sampling.sample import sample
from opsft_flow.shards import gather, gathered_facts, requests_of, run_of
from opsft_flow.tables import PROBLEM, ROLLOUT, read_table, write_arrow, write_table
from opsft_flow.weights.policy import checkpoint_of


def choose(rows: list[dict], rollouts: dict, iteration: int) -> list[dict]:
    """The problems to sample: all of a benchmark, or the iteration's prompts in training."""
    if rollouts["prompts"] is None:
        return rows
    by_id = {row["problem_id"]: row for row in rows}
    return [by_id[i] for i in choose_problems(list(by_id), rollouts["prompts"], rollouts["seed"], iteration)]


def as_rows(problem: dict, request: Request, prompt: str, completions: list, tokenizer, marks: Marks) -> list[dict]:
    """The rollouts of one problem."""
    texts = response_texts(tokenizer, [completion.token_ids for completion in completions], marks)
    return [
        {
            "problem_id": problem["problem_id"],
            "sample": sample,
            "seed": request.seed + sample,
            "prompt_ids": request.prompt_ids,
            "response_ids": completion.token_ids,
            "text": text,
            "tokens": len(completion.token_ids),
            "finish_reason": completion.finish_reason,
            "logprob": completion.logprob,
            "opens_thinking": opens_thinking(prompt, marks),
        }
        for sample, (completion, text) in enumerate(zip(completions, texts, strict=True))
    ]


def make_requests(job: Node, problems: list[dict], prompts: list[str], tokenizer) -> list[Request]:
    rollouts, iteration = job.settings["rollouts"], job.settings["iteration"]
    return [
        Request(
            prompt_ids=encode(tokenizer, prompt, job.settings["plain_prompts"]),
            seed=request_seed(rollouts["seed"], iteration, problem["problem_id"]),
            samples=rollouts["samples"],
        )
        for problem, prompt in zip(problems, prompts, strict=True)
    ]


def max_tokens_of(job: Node) -> int:
    """The cap on a response: from the settings, or what the filter of the iteration before found it to be."""
    planned = job.settings["rollouts"]["max_tokens"]
    return read_json(job.budget)["next_budget"] if planned is None else planned


def make_sampling(job: Node, checkpoint: pathlib.Path, tokenizer) -> Sampling:
    rollouts = job.settings["rollouts"]
    return Sampling(
        max_tokens=max_tokens_of(job),
        temperature=rollouts["temperature"],
        top_p=rollouts["top_p"],
        top_k=rollouts["top_k"],
        stop_token_ids=end_tokens(tokenizer, checkpoint, job.settings["plain_prompts"]),
        logprobs=rollouts["logprobs"],
    )


def group_size(engine: dict) -> int:
    """How many sequences must stay together for a response to be the same to the last bit in every shard.

    The transformers engine decodes them as one batch; vLLM makes its own batches, whatever it is asked.
    """
    return engine["max_sequences"] if engine["name"] == "transformers" else 1


def sample_shard(job: Node, problems: list[dict], shard: int, shards: int) -> None:
    """Sample what falls to shard `shard`, from 1 to `shards`, and write it."""
    checkpoint = checkpoint_of(job.policy)
    with job.phase("imports"):
        import torch

        torch.set_num_threads(job.threads)
    settings = EngineSettings(**{key: value for key, value in job.settings["engine"].items() if key != "name"})
    with job.phase("prompts"):
        tokenizer = load_tokenizer(checkpoint, settings.trust_remote_code)
        prompts = [render(tokenizer, problem["prompt"], job.settings["plain_prompts"]) for problem in problems]
        requests = make_requests(job, problems, prompts, tokenizer)
        sampling = make_sampling(job, checkpoint, tokenizer)
        # The engine checks too; here a prompt that does not fit is refused before the engine has cost anything.
        check_requests(requests, sampling, settings.context, len(tokenizer))
        taken = requests_of(requests, group_size(job.settings["engine"]), shard, shards)
    most = len(taken) * job.settings["rollouts"]["samples"] * sampling.max_tokens
    progress = reporter("responses", "tokens", most=most)
    # No engine is started for a shard that is left without a request.
    completions = sample(job, checkpoint, [requests[i] for i in taken], sampling, progress) if taken else []
    with job.phase("write"):
        answered, marks = zip(taken, completions, strict=True), Marks(*job.settings["thinking"])
        rows = [
            row
            for i, answers in answered
            for row in as_rows(problems[i], requests[i], prompts[i], answers, tokenizer, marks)
        ]
        write_table(job.rollouts, rows, ROLLOUT)
    tokens, seconds = sum(row["tokens"] for row in rows), job.phases.get("sample", 0.0)
    rate = tokens / seconds if seconds else 0.0
    job.facts |= {"shards": shards, "tokens": tokens, "tokens_per_second": round(rate, 1)}
    print(f"{len(rows):,} responses, {tokens:,} tokens, {rate:,.0f} tokens/s", flush=True)


def gather_shards(job: Node, problems: list[dict], shards: int) -> None:
    """Put together what the shards have sampled."""
    folder = pathlib.Path(job.rollouts).parent
    paths = [shard_file(str(folder), shard, shards) for shard in range(1, shards + 1)]
    forget(*paths)
    with job.phase("write"):
        problem_ids = [problem["problem_id"] for problem in problems]
        table = gather(paths, problem_ids, job.settings["rollouts"]["samples"], ROLLOUT)
        write_arrow(job.rollouts, table)
    job.facts |= gathered_facts([run_of(path) for path in paths])
    print(f"{len(table):,} responses, {job.facts['tokens']:,} tokens, gathered from {shards} shards", flush=True)


def sample_nothing(job: Node) -> None:
    """The point has stopped: no training rollouts, and on a benchmark those that were sampled last, of the same policy."""
    if job.measured == "none":
        write_table(job.rollouts, [], ROLLOUT)
    else:
        check_result(job.measured)
        with atomic(job.rollouts) as temporary:
            shutil.copyfile(job.measured, temporary)
    job.facts |= {"shards": int(job.shards), "tokens": 0, "tokens_per_second": 0.0}
    print("the point has stopped: nothing was sampled", flush=True)


def main() -> None:
    inputs = ("serving", "budget", "policy", "problems", "shard", "shards", "measured", "stopped")
    with node(__doc__, inputs=inputs, outputs=("rollouts",)) as job:
        job.facts["max_tokens"] = max_tokens_of(job)
        if read_json(job.policy if job.stopped == "none" else job.stopped)["stopped"]:
            sample_nothing(job)
            return
        rows, shards = read_table(job.problems, PROBLEM), int(job.shards)
        problems = choose(rows, job.settings["rollouts"], job.settings["iteration"])
        if job.shard == "all" and shards > 1:
            gather_shards(job, problems, shards)
        else:
            sample_shard(job, problems, 1 if job.shard == "all" else int(job.shard), shards)


if __name__ == "__main__":
    main()
