"""Many iterations of TRL's GRPO, for grpo_run.py. Runs in TRL's environment."""

import pathlib
import time
from collections.abc import Callable

from transformers import Trainer, TrainerCallback

from benchmarks.grpo_trl import arguments_of, trainer_of
from benchmarks.record import versions


class IterationClock(TrainerCallback):
    """When each rollout batch has been trained on, in seconds since the start; the weights that are to be measured are laid aside off the clock."""

    def __init__(self, job: dict, get_trainer: Callable[[], Trainer]) -> None:
        self.job, self.get_trainer = job, get_trainer
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
            self.get_trainer().save_model(str(folder))
            self.aside += time.monotonic() - ended


def measure(job: dict) -> dict:
    """Train; what each iteration took and was rewarded with, by its number as text."""
    started = time.monotonic()
    clock = IterationClock(job, lambda: trainer)
    steps = {
        "seed": job["seed"],
        "max_steps": job["iterations"] * job["updates"],
        "gradient_accumulation_steps": job["rollouts"] // job["updates"] // job["microbatch"],
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": job["warmup_updates"],
    }
    trainer = trainer_of(job, arguments_of(job, job["folder"], job["rollouts"], **steps), callbacks=[clock])
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
