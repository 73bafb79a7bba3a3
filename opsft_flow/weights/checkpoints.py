"""Checkpoints as training reads and writes them: a policy's weights, its optimiser's state, and its adapter where one is trained."""

import json
import os
import pathlib
import shutil

from opsft_flow.configuration.sources import files_of
from opsft_flow.files import atomic, write_json
from opsft_flow.weights.policy import ADAPTER, adapter_of, checkpoint_of, optimizer_of, start_of


def load_policy(manifest: str | os.PathLike, parent: dict, sft: dict, seed: int, trust_remote_code: bool, quiet: bool):
    """The model of a policy to train, in fp32 on the CPU, and the optimiser's state to go on from (empty to begin anew).

    `parent` is what stands in `manifest`, `sft` the block of the recipe, and `seed` draws a new adapter. `quiet` shows no progress.
    """
    import torch
    from safetensors.torch import load_file
    from transformers.utils.logging import disable_progress_bar

    from opsft.dropout import without_dropout
    from opsft.lora import add_adapter
    from opsft.pretrained import load_model, read_config
    from opsft.training_state import load_weight_tensors

    if quiet:
        disable_progress_bar()
    # An adapter lies over the weights that the point began with.
    start = start_of(manifest) if sft["lora"] else checkpoint_of(manifest)
    config = without_dropout(read_config(start, trust_remote_code))
    model = load_model(start, torch.float32, trust_remote_code, config)
    if sft["lora"]:
        add_adapter(model, **sft["lora"], seed=seed)
        adapter = adapter_of(manifest)
        if adapter:
            load_weight_tensors(model, load_file(adapter))
    state_file = optimizer_of(manifest) if sft["optimizer_state"] == "carry" else None
    return model, load_file(state_file) if state_file else {}


def write_checkpoint(model, weights: dict, source: pathlib.Path, folder: pathlib.Path, trust_remote_code: bool) -> None:
    """A whole Hugging Face checkpoint: new weights, and the parent's configuration, tokenizer and other small files."""
    from transformers import AutoConfig

    # Without the parent's rates of dropout it would pass for another architecture.
    model.config = AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code)
    with atomic(folder) as temporary:
        temporary.mkdir()
        model.save_pretrained(temporary, state_dict=weights)
        keep_end_tokens(source / "config.json", temporary / "config.json")
        # transformers makes one of its own, with other end tokens, where the parent has none.
        (temporary / "generation_config.json").unlink(missing_ok=True)
        for file in files_of(source):
            if ".safetensors" not in file.name and file.name != "config.json":
                shutil.copyfile(file, temporary / file.name)


def keep_end_tokens(parent: pathlib.Path, written: pathlib.Path) -> None:
    """Name the same end tokens as the parent's config.json: transformers writes the default of the architecture where there are none."""
    config = json.loads(written.read_text(encoding="utf-8"))
    config.pop("eos_token_id", None)
    own = json.loads(parent.read_text(encoding="utf-8"))
    if "eos_token_id" in own:
        config["eos_token_id"] = own["eos_token_id"]
    write_json(written, config)


def write_trainer(moments: dict, adapter: dict, folder: pathlib.Path) -> None:
    """The optimiser's state, and the adapter where one is trained."""
    from safetensors.torch import save_file

    with atomic(folder) as temporary:
        temporary.mkdir()
        save_file(moments, temporary / "optimizer.safetensors")
        if adapter:
            save_file(adapter, temporary / ADAPTER)
