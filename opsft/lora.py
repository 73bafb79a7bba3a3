"""Low-rank adapters (arXiv 2106.09685), by peft: W x becomes W x + (alpha / rank) B A x, and only A and B are trained.

The adapter is carried from iteration to iteration over the weights that the point began with, never merged and cut again: its
moments stay its own. What is sampled from is the merged model.
"""

import importlib.util

import torch

ADAPTER = "default"


def check_installed() -> None:
    """Raise ValueError where peft is missing; loads nothing."""
    if importlib.util.find_spec("peft") is None:
        raise ValueError("sft.lora is set, which needs peft; it is not installed: pip install 'opsft[lora]'")


def add_adapter(model: torch.nn.Module, rank: int, alpha: float, targets: list[str], seed: int) -> None:
    """Add a new adapter to the linear layers of `model` whose names end in one of `targets`, and freeze all else.

    B begins as zero, A is drawn by `seed`. Raises ValueError where a target is no linear layer or is not there.
    """
    from peft import LoraConfig, inject_adapter_in_model

    present = dict(model.named_modules())
    for target in targets:
        found = {type(module).__name__ for name, module in present.items() if name.split(".")[-1] == target}
        if found != {"Linear"} or present.get(target) is model.get_output_embeddings():
            raise ValueError(
                f"sft.lora.targets: {target!r} is {', '.join(sorted(found)) or 'no module'} in {type(model).__name__}; "
                f"allowed: names of linear layers below the output layer"
            )
    torch.manual_seed(seed)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(targets), lora_dropout=0.0, bias="none")
    inject_adapter_in_model(config, model, adapter_name=ADAPTER)


def merged(state: dict[str, torch.Tensor], scale: float) -> dict[str, torch.Tensor]:
    """The state of the model without its adapter: W + scale B A under the name of W, for scale = alpha / rank."""
    plain = {}
    for name, tensor in state.items():
        layer, base, rest = name.partition(".base_layer.")
        if ".lora_" in name:
            continue
        if base and rest == "weight":
            a, b = (state[f"{layer}.lora_{factor}.{ADAPTER}.weight"] for factor in "AB")
            tensor = tensor + scale * (b @ a)
        plain[f"{layer}.{rest}" if base else name] = tensor
    return plain
