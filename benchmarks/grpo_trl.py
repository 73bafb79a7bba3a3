"""TRL's GRPO on a job of grpo_job.py. Runs in TRL's environment."""

import pathlib
import tempfile
import time
from collections.abc import Callable

import torch
from datasets import Dataset
from torch.optim.lr_scheduler import LambdaLR
from transformers import Trainer, TrainerCallback, set_seed
from trl import GRPOConfig, GRPOTrainer

from benchmarks.record import versions
from opsft.attention import avoid_cudnn_attention
from opsft.engines.vllm import set_environment
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


def arguments_of(job: dict, folder: str) -> GRPOConfig:
    """The job in TRL's words. What the workflow has no counterpart of stays as TRL ships it: the loss, its clipping, how advantages are scaled."""
    on_gpu = torch.cuda.is_available()
    return GRPOConfig(
        output_dir=folder,
        num_generations=job["samples"],
        per_device_train_batch_size=job["microbatch"],
        generation_batch_size=job["rollouts"],
        gradient_accumulation_steps=job["rollouts"] // job["updates"] // job["microbatch"],
        max_steps=job["iterations"] * job["updates"],
        max_completion_length=job["budgets"][0],
        **job["sampling"],
        shuffle_dataset=False,
        seed=job["seed"],
        beta=job["beta"],
        **job["optimizer"],
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
    )


class WarmedUpTrainer(GRPOTrainer):
    """Warms up as the workflow does: the first of W updates has 1/W of the learning rate, where transformers' own schedule begins with none."""

    def __init__(self, warmup_updates: int, **options) -> None:
        self.warmup_updates = warmup_updates
        super().__init__(**options)

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LambdaLR:
        self.lr_scheduler = LambdaLR(
            optimizer or self.optimizer, lambda update: min(1.0, (update + 1) / max(1, self.warmup_updates))
        )
        return self.lr_scheduler

    def set_cap(self, tokens: int) -> None:
        """From the next rollout batch on, no response is longer than `tokens`."""
        self.max_completion_length = tokens
        if self.use_vllm:
            self.vllm_generation.max_completion_length = tokens
        else:
            self.generation_config.max_new_tokens = self.generation_kwargs["max_new_tokens"] = tokens


class Iterations(TrainerCallback):
    """Follows the rollout batches: when each has been trained on, the weights that are to be measured, and the cap of the next.

    The weights are written off the clock. Times are those of `time.time`, less what writing has taken so far.
    """

    def __init__(self, job: dict, get_trainer: Callable[[], Trainer]) -> None:
        self.job, self.get_trainer = job, get_trainer
        self.writing, self.ended = 0.0, {}

    def on_step_end(self, args, state, control, **_) -> None:
        iteration, left = divmod(state.global_step, self.job["updates"])
        if left:
            return
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.time()
        self.ended[iteration] = now - self.writing
        every = self.job["every"]
        if every and (iteration % every == 0 or iteration == self.job["iterations"]):
            self.get_trainer().save_model(str(pathlib.Path(self.job["folder"], f"iteration-{iteration}")))
            self.writing += time.time() - now
        if iteration < self.job["iterations"]:
            self.get_trainer().set_cap(self.job["budgets"][iteration])


def trainer_of(job: dict, folder: str, iterations: Iterations) -> WarmedUpTrainer:
    """A trainer of the job's model on its prompts.

    With vLLM the seed is set after it, too: TRL lets vLLM's engine seed this process with 0, and samples with the process's random numbers.
    """
    tokenizer = load_tokenizer(job["checkpoint"])
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if job["use_vllm"]:
        set_environment()
    trainer = WarmedUpTrainer(
        warmup_updates=job["warmup_updates"],
        model=job["checkpoint"],
        reward_funcs=reward_of(job),
        args=arguments_of(job, folder),
        train_dataset=Dataset.from_list(job["prompts"]),
        processing_class=tokenizer,
        callbacks=[iterations],
    )
    if job["use_vllm"]:
        set_seed(job["seed"])
    return trainer


def check_caps(longest: list[int], caps: list[int]) -> None:
    """Raise RuntimeError where a response is longer than the cap of its iteration: the attributes that hold it are not part of TRL's interface."""
    for i, (tokens, cap) in enumerate(zip(longest, caps, strict=True), start=1):
        if tokens > cap:
            raise RuntimeError(
                f"iteration {i}: a response of {tokens} tokens under a cap of {cap}; see WarmedUpTrainer.set_cap"
            )


def measure(job: dict) -> dict:
    """Train; when each iteration ended, what it sampled and what it was rewarded with. Policies are left in the job's folder, each `every` iterations.

    `ended` is a time of `time.time`, `work_s` what has been trained for until then, loading not included.
    """
    avoid_cudnn_attention()
    started = time.time()
    iterations = Iterations(job, lambda: trainer)
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(job, folder, iterations)
        loaded = time.time()
        trainer.train()
    # A rollout batch is told of once, with its first update.
    logged = [entry for entry in trainer.state.log_history if "reward" in entry]
    check_caps([round(entry["completions/max_length"]) for entry in logged], job["budgets"])
    return {
        "load_s": round(loaded - started, 2),
        "iterations": [
            {
                "iteration": i,
                "ended": ended,
                "work_s": round(ended - loaded, 2),
                "reward": round(entry["reward"], 4),
                "tokens_sampled": round(entry["completions/mean_length"] * job["rollouts"]),
            }
            for (i, ended), entry in zip(iterations.ended.items(), logged, strict=True)
        ],
        "versions": versions(),
    }
