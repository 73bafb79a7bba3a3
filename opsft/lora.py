"""Low-rank adapters (arXiv 2106.09685), by peft: W x becomes W x + (alpha / rank) B A x, and only A and B are trained.

The adapter is carried from iteration to iteration over the weights that the point began with, never merged and cut again: its
moments stay its own. What is sampled from is the merged model.
"""

import difflib
import importlib.util

import torch

ADAPTER = "default"


def check_installed() -> None:
    """Raise ValueError where peft is missing; loads nothing."""
    if importlib.util.find_spec("peft") is None:
        raise ValueError("sft.lora is set, which needs peft; it is not installed: pip install 'opsft[lora]'")


def check_adapter(model: torch.nn.Module, rank: int, targets: list[str]) -> None:
    """Raise ValueError where a target is no linear layer or is not there, or where the rank is above that of every layer; reads no values."""
    output, largest = model.get_output_embeddings(), 0
    layers: dict[str, list[torch.nn.Module]] = {}
    for name, module in model.named_modules():
        layers.setdefault(name.rpartition(".")[2], []).append(module)
    linear = sorted(
        name
        for name, found in layers.items()
        if kinds_of(found) == {"Linear"} and not any(each is output for each in found)
    )
    for target in targets:
        if target not in linear:
            found = ", ".join(sorted(kinds_of(layers.get(target, [])))) or "no module"
            close = difflib.get_close_matches(target, linear, n=1)
            raise ValueError(
                f"sft.lora.targets: {target!r} is {found} in {type(model).__name__}{f'; did you mean {close[0]!r}?' if close else ''}; "
                f"allowed: linear layers below the output layer: {', '.join(linear)}"
            )
        largest = max(largest, *(min(layer.in_features, layer.out_features) for layer in layers[target]))
    if rank > largest:
        raise ValueError(
            f"sft.lora.rank {rank} is above the rank of every target; allowed: {largest} at most for this model"
        )


def kinds_of(modules: list[torch.nn.Module]) -> set[str]:
    return {type(module).__name__ for module in modules}


def add_adapter(model: torch.nn.Module, rank: int, alpha: float, targets: list[str], seed: int) -> None:
    """Add a new adapter to the linear layers of `model` whose names end in one of `targets`, and freeze all else.

    B begins as zero, A is drawn by `seed`. Raises ValueError where a target is no linear layer or is not there.
    """
    from peft import LoraConfig, inject_adapter_in_model

    check_adapter(model, rank, targets)
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
