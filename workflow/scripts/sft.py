"""Fine-tune policy i-1 on the selected rollouts of iteration i, and write policy i.

The checkpoint goes to `policy/` and the optimiser's state to `trainer/`, beside the manifest; the manifest comes last.
"""

import json
import os
import pathlib
import shutil

from opsft_flow.files import atomic, read_json, remove_leftovers, sha256_of, write_json
from opsft_flow.node import Node, node
from opsft_flow.policy import checkpoint_of, describe_folder, locate, optimizer_of
from opsft_flow.progress import reporter
from opsft_flow.scratch import Scratch, scratch_name
from opsft_flow.tables import ROLLOUT, SELECTED, align, read_table

COLUMNS = ["problem_id", "sample", "prompt_ids", "response_ids", "tokens", "logprob"]
NOT_TRAINING = ("optimizer_state", "device")


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


def copy_forward(job: Node, parent: dict, folder: pathlib.Path) -> dict:
    """The manifest of a policy that is its parent again, because nothing was kept.

    Raises ValueError after `give_up_after` such iterations in a row.
    """
    streak, limit = parent["empty_streak"] + 1, json.loads(job.limits)["give_up_after"]
    if streak >= limit:
        raise ValueError(
            f"nothing survived the filter in {streak} iterations in a row (sft.give_up_after is {limit}); the budget of "
            f"{job.settings['point']['budget']} tokens is too tight for this model, or the verifier finds nothing right. Take it out of the sweep to get the tables of "
            f"the other points; its results stay"
        )
    print("nothing survived the filter: this policy is its parent", flush=True)
    pointers = {"path": None, "optimizer": parent["optimizer"]}
    if parent["path"] is not None:
        pointers["path"] = os.path.relpath(locate(job.parent, parent), folder)
    if parent["optimizer"] is not None:
        state = optimizer_of(job.parent).parent
        pointers["optimizer"] = {**parent["optimizer"], "path": os.path.relpath(state, folder)}
    return {"copied": True, "empty_streak": streak, "files": parent["files"], "metrics": None, **pointers}


def load_policy(job: Node):
    """The parent's model in fp32 on its device, and the optimiser's state to go on from (empty to begin anew)."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    block = job.settings["sft"]
    device = block["device"] if block["device"] != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_pretrained(
        checkpoint_of(job.parent),
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=job.settings["trust_remote_code"],
    )
    state_file = optimizer_of(job.parent) if block["optimizer_state"] == "carry" else None
    return model.to(device), load_file(state_file) if state_file else {}


def own_scratch(job: Node, folder: pathlib.Path) -> Scratch:
    """The scratch folder of exactly this training, locked; what killed writers left beside the checkpoint is removed."""
    name = scratch_name(str(job.settings), *map(sha256_of, (job.parent, job.rollouts, job.selected)))
    scratch = Scratch(folder.parent / ".scratch" / name)
    for leftover in ("policy", "trainer"):
        remove_leftovers(folder / leftover)
    return scratch


def train_policy(job: Node, parent: dict, folder: pathlib.Path) -> dict:
    """Train, write the checkpoint and the optimiser's state, and return their part of the manifest."""
    with job.phase("imports"):
        import torch

        from opsft.sft import SftSettings, train

        torch.set_num_threads(job.threads)
    scratch = own_scratch(job, folder)
    with job.phase("load"):
        model, moments = load_policy(job)
        batch = read_batch(job)
    block = {key: value for key, value in job.settings["sft"].items() if key not in NOT_TRAINING}
    with job.phase("train"):
        metrics, moments = train(
            model,
            batch,
            SftSettings(**block, checkpoint_every=json.loads(job.limits)["checkpoint_every"]),
            seed=(job.settings["point"]["seed"], job.settings["iteration"]),
            updates_before=parent["updates"],
            optimizer_state=moments,
            checkpoints=scratch,
            progress=reporter("updates", "tokens"),
        )
    with job.phase("write"):
        write_checkpoint(model, checkpoint_of(job.parent), folder / "policy")
        write_optimizer(moments, folder / "trainer")
    job.facts |= {"tokens_per_second": round(metrics["tokens_trained"] / job.phases["train"], 1)}
    if torch.cuda.is_available():
        job.facts |= {"gpu": torch.cuda.get_device_name(), "gpu_peak_mb": torch.cuda.max_memory_allocated() >> 20}
    job.finished = scratch.remove
    return {
        "copied": False,
        "empty_streak": 0,
        "path": "policy",
        "files": describe_folder(folder / "policy"),
        "optimizer": {"path": "trainer", "files": describe_folder(folder / "trainer")},
        "metrics": metrics,
    }


def write_checkpoint(model, source: pathlib.Path, folder: pathlib.Path) -> None:
    """A whole Hugging Face checkpoint: new weights, and the tokenizer's and other small files of the parent."""
    with atomic(folder) as temporary:
        temporary.mkdir()
        for file in describe_folder(source):
            if ".safetensors" not in file:
                shutil.copyfile(source / file, temporary / file)
        model.save_pretrained(temporary)


def write_optimizer(moments: dict, folder: pathlib.Path) -> None:
    from safetensors.torch import save_file

    with atomic(folder) as temporary:
        temporary.mkdir()
        save_file(moments, temporary / "optimizer.safetensors")


def main() -> None:
    with node(__doc__, inputs=("limits", "parent", "rollouts", "selected"), outputs=("policy",)) as job:
        parent, folder = read_json(job.parent), pathlib.Path(job.policy).parent
        something = len(read_table(job.selected, SELECTED, ["problem_id"])) > 0
        part = train_policy(job, parent, folder) if something else copy_forward(job, parent, folder)
        metrics = part["metrics"] or {"updates": 0, "tokens_trained": 0}
        manifest = {
            "source": parent["source"],
            "revision": parent["revision"],
            "parent": sha256_of(job.parent),
            "iteration": job.settings["iteration"],
            "updates": parent["updates"] + metrics["updates"],
            "tokens_trained": parent["tokens_trained"] + metrics["tokens_trained"],
            "settings": job.settings,
            **part,
        }
        write_json(job.policy, manifest)
        job.finished()
        print(f"policy {manifest['iteration']}: {metrics}", flush=True)


if __name__ == "__main__":
    main()
