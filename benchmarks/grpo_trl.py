"""One GRPO iteration of TRL, for iteration.py. Runs in TRL's environment."""

import tempfile
import time

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from benchmarks.record import versions
from opsft.tokenizer import load_tokenizer
from opsft.verify import Response, verify


def reward_of(job: dict):
    """The truncation reward: 1 for a response that is right and ended within the cap, else 0."""

    def truncation_reward(completions, completion_ids, gold, opens_thinking, **_) -> list[float]:
        responses = [
            Response(
                text=messages[0]["content"],
                gold=answer,
                finished=ids[-1] in job["stop_token_ids"],
                opens_thinking=opens,
            )
            for messages, ids, answer, opens in zip(completions, completion_ids, gold, opens_thinking, strict=True)
        ]
        return [float(verdict.correct) for verdict in verify(responses, job["verifier"], **job["verify"])]

    return truncation_reward


def arguments_of(job: dict, folder: str, rollouts: int, **steps) -> GRPOConfig:
    """Arguments for batches of `rollouts`; `steps` say how they are trained on. What the workflow has no counterpart of stays as TRL ships it."""
    on_gpu = torch.cuda.is_available()
    return GRPOConfig(
        output_dir=folder,
        num_generations=job["samples"],
        per_device_train_batch_size=job["microbatch"],
        generation_batch_size=rollouts,
        max_completion_length=job["max_tokens"],
        temperature=1.0,
        shuffle_dataset=False,
        beta=job["beta"],
        learning_rate=job["lr"],
        gradient_checkpointing=False,
        bf16=on_gpu,
        use_cpu=not on_gpu,
        model_init_kwargs={"dtype": "float32"},
        use_vllm=job["use_vllm"],
        vllm_mode="colocate",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **steps,
    )


def trainer_of(job: dict, arguments: GRPOConfig, **options) -> GRPOTrainer:
    """A trainer of the job's model on its prompts."""
    tokenizer = load_tokenizer(job["checkpoint"])
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return GRPOTrainer(
        model=job["checkpoint"],
        reward_funcs=reward_of(job),
        args=arguments,
        train_dataset=Dataset.from_list(job["prompts"]),
        processing_class=tokenizer,
        **options,
    )


def measure(job: dict) -> dict:
    """Make one step of GRPO on the prompts of the job."""
    rollouts = len(job["prompts"]) * job["samples"]
    steps = {
        "max_steps": 1,
        "gradient_accumulation_steps": rollouts // job["microbatch"],
        "lr_scheduler_type": "constant",
    }
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        trainer = trainer_of(job, arguments_of(job, folder, rollouts, **steps))
        loaded = time.monotonic()
        trainer.train()
        ended = time.monotonic()
    logged = next(entry for entry in trainer.state.log_history if "reward" in entry)
    tokens = round(logged["completions/mean_length"] * rollouts)
    return {
        "load_s": round(loaded - started, 2),
        "work_s": round(ended - loaded, 2),
        "reward": round(logged["reward"], 4),
        "tokens_sampled": tokens,
        # Right or wrong, every rollout passes the model.
        "tokens_trained": tokens,
        "versions": versions(),
    }
