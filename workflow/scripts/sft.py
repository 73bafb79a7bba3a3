"""Fine-tune policy i-1 on the selected rollouts of iteration i, and write policy i.

The checkpoint goes to `policy/`, the optimiser's state and the adapter, if there is one, to `trainer/`, beside the manifest;
the manifest comes last. `--decision` is a decision to stop, or `none`. torchrun can start several of this script, one a GPU: they train together, and the first one writes.
"""

import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import NamedTuple

from opsft_flow.files import check_room, read_json, remove_leftovers, size_of, write_json
from opsft_flow.integrity import blake3_of
from opsft_flow.machine.engine_sockets import put_to_sleep
from opsft_flow.machine.gpus import borrow_for_node, facts_of_starter
from opsft_flow.machine.runtime import die_with_parent
from opsft_flow.node import Node, node
from opsft_flow.points import Point
from opsft_flow.progress import reporter
from opsft_flow.tables import ROLLOUT, SELECTED, align, read_table
from opsft_flow.weights.checkpoints import load_policy, write_checkpoint, write_trainer
from opsft_flow.weights.policy import base_files, copy_forward, describe_folder, locate
from opsft_flow.weights.scratch import Scratch, SharedScratch, scratch_name

COLUMNS = ["problem_id", "sample", "prompt_ids", "response_ids", "tokens", "logprob"]
NOT_TRAINING = ("optimizer_state", "device", "lora")
PROCESSES, PROCESS = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
PROCESSES_HERE = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
"""Of those, the ones on this machine."""


def read_batch(job: Node):
    """The kept examples, with what the normaliser needs of the whole rollout batch."""
    from opsft.batching import Example
    from opsft.sft import RolloutBatch

    rollouts = read_table(job.rollouts, ROLLOUT, COLUMNS)
    rollouts.sort(key=lambda row: (row["problem_id"], row["sample"]))
    position = {(row["problem_id"], row["sample"]): i for i, row in enumerate(rollouts)}
    selected = read_table(job.selected, SELECTED)
    kept = [
        Example(
            key=f"{row['problem_id']}#{row['sample']}",
            position=position[row["problem_id"], row["sample"]],
            prompt_ids=tuple(row["prompt_ids"]),
            response_ids=tuple(row["response_ids"]),
            weight=choice["weight"],
            engine_logprob=row["logprob"],
        )
        for choice, row in zip(selected, align(rollouts, selected, job.rollouts), strict=True)
    ]
    return RolloutBatch(kept=kept, rollouts=len(rollouts), longest=max(row["tokens"] for row in rollouts))


def read_decision(job: Node) -> dict | None:
    """Why the point has stopped, or None."""
    stopped = None if job.decision == "none" else read_json(job.decision)["stopped"]
    if stopped:
        print(f"the point has stopped after iteration {stopped['iteration']}: {stopped['message']}", flush=True)
    return stopped


def count_empty(job: Node, parent: dict) -> int:
    """The iterations in a row in which nothing was kept, this one the last. Raises ValueError after `give_up_after` of them."""
    streak, limit = parent["empty_streak"] + 1, json.loads(job.limits)["give_up_after"]
    if streak >= limit:
        budget = Point(**job.settings["point"]).budget_name
        raise ValueError(
            f"nothing survived the filter in {streak} iterations in a row (sft.give_up_after is {limit}); {budget} is too "
            f"tight for this model, or the verifier finds nothing right. Take it out of the sweep to get the tables of "
            f"the other points; its results stay"
        )
    print("nothing survived the filter: this policy is its parent", flush=True)
    return streak


def check_packages(block: dict) -> None:
    """Refuse settings that need a package which is not there, before anything is loaded."""
    from opsft import eight_bit, lora

    if block["optimizer"] == "adamw_8bit":
        eight_bit.check_installed()
    if block["lora"]:
        lora.check_installed()


def device_of(name: str):
    """The device that `sft.device` names; of several processes, each has a GPU of its own."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if PROCESSES == 1 or name == "cpu":
        return torch.device(name)
    if name != "cuda" or torch.cuda.device_count() < PROCESSES_HERE:
        raise ValueError(
            f"resources.sft.gpu is {PROCESSES_HERE}: found {torch.cuda.device_count()} GPUs, and sft.device {name}; allowed: at most "
            f"as many processes as GPUs, and sft.device auto or cuda"
        )
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    return device


@contextlib.contextmanager
def hold_gpu(job: Node) -> Iterator[None]:
    """Hold the GPU that this process trains on; where there are several processes, who started them holds theirs."""
    if PROCESSES > 1 or job.settings["sft"]["device"] == "cpu":
        yield
        return
    # Where there is a GPU, one is used whatever the configuration counts, so one is held.
    with borrow_for_node(job.facts, job.phases, max(1, job.gpus), job.policy) as loan:
        put_to_sleep(loan.gpus)
        yield


def own_scratch(job: Node, folder: pathlib.Path) -> Scratch | SharedScratch:
    """The scratch folder of exactly this training, locked; what killed writers left beside the checkpoint is removed."""
    name = scratch_name(str(job.settings), *map(blake3_of, (job.parent, job.rollouts, job.selected)))
    if PROCESS > 0:
        return SharedScratch(folder.parent / ".scratch" / name)
    scratch = Scratch(folder.parent / ".scratch" / name)
    for leftover in ("policy", "trainer"):
        remove_leftovers(folder / leftover)
    return scratch


class Trained(NamedTuple):
    """What a training leaves: what was measured, the weights of a whole checkpoint, AdamW's state, and the adapter where one is trained."""

    metrics: dict
    weights: dict
    moments: dict
    adapter: dict


def train_policy(job: Node, parent: dict, folder: pathlib.Path) -> dict:
    """Train, write the checkpoint and the optimiser's state, and return their part of the manifest."""
    with job.phase("imports"):
        import torch

        torch.set_num_threads(max(1, job.threads // PROCESSES_HERE))
    check_packages(job.settings["sft"])
    scratch = own_scratch(job, folder)
    # The GPU is held for what needs it alone: reading before and writing after take as long as training does.
    with job.phase("load"):
        model, moments = load_policy(
            job.parent,
            parent,
            job.settings["sft"],
            seed=job.settings["point"]["seed"],
            trust_remote_code=job.settings["trust_remote_code"],
            quiet=PROCESS > 0,
        )
        batch = read_batch(job)
    check_room(folder, bytes_to_write(job, model) - size_of(scratch.folder / "state"), "this training")
    with hold_gpu(job):
        trained = train_on_device(job, parent, model, batch, moments, scratch)
    leave_the_rest_to_the_first()
    part = write_policy(job, parent, model, trained, folder)
    job.finished = scratch.remove
    return part


def train_on_device(job: Node, parent: dict, model, batch, moments: dict, scratch) -> Trained:
    """Train on the device that the configuration names, and leave it free."""
    import torch

    from opsft.processes import joined
    from opsft.training_state import checkpoint_tensors, weight_tensors
    from opsft.transfer import move_module

    device = device_of(job.settings["sft"]["device"])
    with joined(device):
        with job.phase("to device"):
            move_module(model, device)
        metrics, state = train_model(job, parent, model, batch, moments, scratch)
        # The parent's state is as large as the new one.
        moments.clear()
        with job.phase("gather"):
            weights, adapter = checkpoint_tensors(model), {}
            if job.settings["sft"]["lora"]:
                weights, adapter = merge(weights, job.settings["sft"]["lora"]), weight_tensors(model)
    if device.type == "cuda":
        job.facts |= {"gpu": torch.cuda.get_device_name(), "gpu_peak_mb": torch.cuda.max_memory_allocated() >> 20}
        leave_gpu(model)
    return Trained(metrics, weights, state, adapter)


def write_policy(job: Node, parent: dict, model, trained: Trained, folder: pathlib.Path) -> dict:
    """Write the checkpoint and the optimiser's state, and return their part of the manifest."""
    with job.phase("write"):
        trusted = job.settings["trust_remote_code"]
        write_checkpoint(model, trained.weights, locate(job.parent, parent), folder / "policy", trusted)
    with job.phase("write optimizer"):
        write_trainer(trained.moments, trained.adapter, folder / "trainer")
    with job.phase("hash"):
        policy, trainer = map(describe_folder, (folder / "policy", folder / "trainer"))
    return {
        "copied": False,
        "path": "policy",
        "files": policy,
        "optimizer": {"path": "trainer", "files": trainer},
        "probe": trained.metrics.pop("probe"),
        "metrics": trained.metrics,
    }


def bytes_to_write(job: Node, model) -> int:
    """The most that a training has on disk at once, in bytes: the policy, the optimiser's state and, where it is resumable, a checkpoint.

    While a checkpoint takes the place of another there are two of them, which is never more.
    """
    block, limits = job.settings["sft"], json.loads(job.limits)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    moments = 2 * trained * (1 if block["optimizer"] == "adamw_8bit" else 4)
    resumable = block["updates"] * block["epochs"] > limits["checkpoint_every"]
    return 4 * parameters + moments + (4 * trained + moments if resumable else 0)


def train_model(job: Node, parent: dict, model, batch, moments: dict, scratch) -> tuple[dict, dict]:
    """What was measured, and the optimiser's state."""
    from opsft.sft import SftSettings, train

    block = {key: value for key, value in job.settings["sft"].items() if key not in NOT_TRAINING}
    report, tokens = reporter("updates", "tokens"), []

    def progress(done: int, total: int, amount: int) -> None:
        tokens.append(amount)
        report(done, total, amount)

    with job.phase("train"):
        trained = train(
            model,
            batch,
            SftSettings(**block, checkpoint_every=json.loads(job.limits)["checkpoint_every"]),
            seed=(job.settings["point"]["seed"], job.settings["iteration"]),
            updates_before=parent["updates"],
            optimizer_state=moments,
            checkpoints=scratch,
            progress=progress,
        )
    # Of this process alone: what a killed one had trained took none of this time.
    job.facts |= {"tokens_per_second": round((tokens[-1] - tokens[0]) / job.phases["train"], 1), "processes": PROCESSES}
    return trained


def merge(weights: dict, adapter: dict) -> dict:
    from opsft.lora import merged

    return merged(weights, adapter["alpha"] / adapter["rank"])


def leave_gpu(model) -> None:
    """Free the GPU's memory for whoever holds it next; several processes leave it when they end.

    The model keeps its shapes and loses its values, which have been gathered.
    """
    import torch

    if PROCESSES == 1:
        model.zero_grad()
        model.to_empty(device="cpu")
        torch.cuda.empty_cache()


def leave_the_rest_to_the_first() -> None:
    """End every process but the first, which is the one that writes: the result and its sidecar."""
    if PROCESS > 0:
        sys.exit(0)


def main() -> None:
    if PROCESSES > 1:
        # torchrun's processes lead sessions of their own: nobody else ends them where it is killed.
        die_with_parent()
    if PROCESS > 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, the process ends with it
    inputs = ("limits", "decision", "parent", "rollouts", "selected")
    with node(__doc__, inputs=inputs, outputs=("policy",)) as job:
        parent, folder = read_json(job.parent), pathlib.Path(job.policy).parent
        stopped, empty_streak = read_decision(job), 0
        if not stopped and read_table(job.selected, SELECTED, ["problem_id"]):
            part = train_policy(job, parent, folder)
        else:
            leave_the_rest_to_the_first()
            empty_streak = parent["empty_streak"] if stopped else count_empty(job, parent)
            part = copy_forward(job.parent, parent, folder)
        metrics = part["metrics"] or {"updates": 0, "tokens_trained": 0}
        manifest = {
            "source": parent["source"],
            "revision": parent["revision"],
            "parent": blake3_of(job.parent),
            "base_files": base_files(parent),
            "iteration": job.settings["iteration"],
            "updates": parent["updates"] + metrics["updates"],
            "tokens_trained": parent["tokens_trained"] + metrics["tokens_trained"],
            "settings": job.settings,
            "stopped": stopped,
            "empty_streak": empty_streak,
            **part,
        }
        write_json(job.policy, manifest)
        job.finished()
        if PROCESSES > 1 and "gpu" in job.facts:
            job.facts |= facts_of_starter(machines=PROCESSES // PROCESSES_HERE)
        print(f"policy {manifest['iteration']}: {metrics}", flush=True)


if __name__ == "__main__":
    main()
