"""Accuracy and length of checkpoints on a benchmark of the configuration, the first of them the base of the paired differences."""

import pathlib

from benchmarks import setting
from benchmarks.known import known
from opsft.end_tokens import end_tokens
from opsft.engines import Completion, EngineSettings, Request, Sampling, load_engine
from opsft.estimators.evaluate import EvaluationSettings, evaluate
from opsft.estimators.responses import Responses
from opsft.prompts import request_seed
from opsft.tokenizer import load_tokenizer, response_texts
from opsft.verify import Response, verify
from opsft_flow.configuration.config import engine_for


def measure_policies(config: dict, model: str, benchmark: str, policies: dict[int, pathlib.Path]) -> dict[int, dict]:
    """By iteration: accuracy, mean tokens, and their paired differences from the first policy, each {value, low, high}."""
    block, first = config["benchmarks"][benchmark], next(iter(policies.values()))
    tokenizer = load_tokenizer(first)
    prompts = setting.read_prompts(config, block["problems"], tokenizer)
    stops = end_tokens(tokenizer, first)
    sampling = known(Sampling, {**block, "stop_token_ids": tuple(stops), "logprobs": False})
    requests = [Request(p.ids, request_seed(block["seed"], 0, p.problem_id), block["samples"]) for p in prompts]
    engine_block = engine_for(config, model)
    engine = load_engine(engine_block["name"], str(first), known(EngineSettings, engine_block))
    asked = {**config["evaluate"], "pass_k": (1,), "maj_k": (), "g_pass_k": ()}
    settings, measured, base = known(EvaluationSettings, asked), {}, None
    for iteration, checkpoint in policies.items():
        engine.load_weights(str(checkpoint))
        completions = engine.generate(requests, sampling, lambda done, total, tokens: None)
        responses = graded(config, block, prompts, completions, tokenizer)
        metrics = evaluate(responses, settings, base)
        base = base or responses
        measured[iteration] = {
            "iteration": iteration,
            "accuracy": metrics["accuracy"],
            "tokens": metrics["tokens"]["mean"],
            "difference": metrics["difference"] and {k: metrics["difference"][k] for k in ("accuracy", "tokens_ratio")},
        }
    return measured


def measure(job: dict) -> dict:
    """For child.py: `configfile`, `model`, `benchmark`, and `policies`, a list of (iteration, folder) that begins with the base model."""
    config = setting.load_config(job["configfile"])
    policies = {iteration: pathlib.Path(folder) for iteration, folder in job["policies"]}
    return {"policies": list(measure_policies(config, job["model"], job["benchmark"], policies).values())}


def graded(config: dict, block: dict, prompts: list, completions: list[list[Completion]], tokenizer) -> Responses:
    """The completions of each prompt, verified."""
    rows = [(p, k, c) for p, group in zip(prompts, completions, strict=True) for k, c in enumerate(group)]
    finished = [c.finish_reason == "stop" for _, _, c in rows]
    texts = response_texts(tokenizer, [c.token_ids for _, _, c in rows])
    verdicts = verify(
        [Response(t, p.answer, f, p.opens_thinking) for (p, _, _), t, f in zip(rows, texts, finished, strict=True)],
        config["problems"][block["problems"]]["verifier"],
        workers=config["resources"]["verify"]["threads"],
        **config["verify"],
    )
    return Responses.from_rows(
        problem_ids=[p.problem_id for p, _, _ in rows],
        sample_indices=[k for _, k, _ in rows],
        correct=[v.correct for v in verdicts],
        matched=[v.matched for v in verdicts],
        finished=finished,
        tokens=[len(c.token_ids) for _, _, c in rows],
        answers=[v.vote for v in verdicts],
        max_tokens=block["max_tokens"],
    )
