"""TRL's part of the SFT benchmark: see sft.py. Runs in TRL's environment."""

import tempfile

from datasets import Dataset
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from benchmarks.record import versions
from benchmarks.training_clock import TrainingClock
from opsft.attention import avoid_cudnn_attention
from opsft.tokenizer import load_tokenizer


class Ticking(TrainerCallback):
    """Tells a clock when an update has ended."""

    def __init__(self, clock: TrainingClock) -> None:
        self.clock = clock

    def on_step_end(self, args, state, control, **kwargs) -> None:
        self.clock.tick()


def as_row(example: dict) -> dict:
    """An example in the columns that SFTTrainer takes as tokenised already."""
    prompt, response = example["prompt_ids"], example["response_ids"]
    return {"input_ids": prompt + response, "completion_mask": [0] * len(prompt) + [1] * len(response)}


def arguments_of(job: dict, folder: str, on_gpu: bool) -> SFTConfig:
    """The settings of our own trainer in TRL's words. What both leave to PyTorch or transformers stays as each ships it."""
    settings, updates = job["settings"], job["updates"]
    return SFTConfig(
        output_dir=folder,
        max_steps=len(updates),
        per_device_train_batch_size=job["trl_microbatch"],
        gradient_accumulation_steps=len(updates[0]) // job["trl_microbatch"],
        train_sampling_strategy="sequential",
        completion_only_loss=True,
        max_length=None,
        learning_rate=settings["lr"],
        lr_scheduler_type="constant",
        adam_beta1=settings["beta1"],
        adam_beta2=settings["beta2"],
        adam_epsilon=settings["eps"],
        weight_decay=settings["weight_decay"],
        max_grad_norm=settings["clip"],
        gradient_checkpointing=settings["gradient_checkpointing"],
        bf16=on_gpu,
        use_cpu=not on_gpu,
        model_init_kwargs={"dtype": "float32"},
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def measure(job: dict) -> dict:
    """Train on the updates of the job."""
    avoid_cudnn_attention()
    clock = TrainingClock()
    tokenizer = load_tokenizer(job["checkpoint"])
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    rows = [as_row(example) for update in job["updates"] for example in update]
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=job["checkpoint"],
            args=arguments_of(job, folder, clock.on_gpu),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            callbacks=[Ticking(clock)],
        )
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    first, mean = round(losses[0], 4), round(sum(losses) / len(losses), 4)
    return {"first_loss": first, "mean_loss": mean, **clock.measured(job["updates"]), "versions": versions()}
