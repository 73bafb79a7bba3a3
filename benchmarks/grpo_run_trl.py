"""Many iterations of TRL's GRPO, for grpo_run.py. Runs in TRL's environment."""

import pathlib
import time

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from benchmarks.grpo_trl import reward_of
from benchmarks.record import versions
from opsft.tokenizer import load_tokenizer


class IterationClock(TrainerCallback):
    """When each rollout batch has been trained on, in seconds since the start; the weights that are to be measured are laid aside off the clock."""

    def __init__(self, job: dict, trainer_of) -> None:
        self.job, self.trainer_of = job, trainer_of
        self.aside, self.iterations = 0.0, {}

    def on_train_begin(self, args, state, control, **_) -> None:
        self.started = time.monotonic()

    def on_step_end(self, args, state, control, **_) -> None:
        iteration, left = divmod(state.global_step, self.job["updates"])
        if left:
            return
        ended = time.monotonic()
        self.iterations[iteration] = {"seconds": round(ended - self.started - self.aside, 2)}
        if iteration % self.job["every"] == 0 or iteration == self.job["iterations"]:
            folder = pathlib.Path(self.job["folder"], f"iteration-{iteration}")
            self.trainer_of().save_model(str(folder))
            self.aside += time.monotonic() - ended


def arguments_of(job: dict, on_gpu: bool) -> GRPOConfig:
    """`updates` steps on each rollout batch; what the workflow has no counterpart of stays as TRL ships it."""
    return GRPOConfig(
        output_dir=job["folder"],
        seed=job["seed"],
        max_steps=job["iterations"] * job["updates"],
        num_generations=job["samples"],
        per_device_train_batch_size=job["microbatch"],
        gradient_accumulation_steps=job["rollouts"] // job["updates"] // job["microbatch"],
        generation_batch_size=job["rollouts"],
        max_completion_length=job["max_tokens"],
        temperature=1.0,
        shuffle_dataset=False,
        beta=job["beta"],
        learning_rate=job["lr"],
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=job["warmup_updates"],
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


def measure(job: dict) -> dict:
    """Train; what each iteration took and was rewarded with, by its number as text."""
    tokenizer = load_tokenizer(job["checkpoint"])
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    started = time.monotonic()
    clock = IterationClock(job, lambda: trainer)
    trainer = GRPOTrainer(
        model=job["checkpoint"],
        reward_funcs=reward_of(job),
        args=arguments_of(job, torch.cuda.is_available()),
        train_dataset=Dataset.from_list(job["prompts"]),
        processing_class=tokenizer,
        callbacks=[clock],
    )
    loaded = time.monotonic()
    trainer.train()
    # A rollout batch is told of once, with its first update.
    for logged in trainer.state.log_history:
        if "reward" in logged:
            entry = clock.iterations[(logged["step"] - 1) // job["updates"] + 1]
            entry["reward"] = round(logged["reward"], 4)
            entry["train_tokens"] = round(logged["completions/mean_length"], 1)
    iterations = {str(number): entry for number, entry in clock.iterations.items()}
    return {"load_s": round(loaded - started, 2), "iterations": iterations, "versions": versions()}
