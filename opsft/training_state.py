"""Weights and AdamW moments as named tensors, so that they can be kept in safetensors and put back to the bit."""

import torch

MOMENTS = ("exp_avg", "exp_avg_sq")


def optimizer_tensors(model: torch.nn.Module, optimizer: torch.optim.AdamW) -> dict[str, torch.Tensor]:
    """`{parameter}.exp_avg`, `{parameter}.exp_avg_sq` and `step`; empty before the first update."""
    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in model.named_parameters():
        state = optimizer.state.get(parameter)
        if state:
            tensors |= {f"{name}.{moment}": state[moment].cpu().contiguous() for moment in MOMENTS}
            tensors["step"] = state["step"].cpu().clone()
    return tensors


def load_optimizer_tensors(
    model: torch.nn.Module, optimizer: torch.optim.AdamW, tensors: dict[str, torch.Tensor]
) -> None:
    """Put back what `optimizer_tensors` gave. Raises ValueError where a parameter has no moments in `tensors`."""
    if not tensors:
        return
    for name, parameter in model.named_parameters():
        missing = [moment for moment in MOMENTS if f"{name}.{moment}" not in tensors]
        if missing:
            raise ValueError(f"the optimiser's state has no {missing[0]} for parameter {name}")
        moments = {moment: tensors[f"{name}.{moment}"].to(parameter.device).clone() for moment in MOMENTS}
        optimizer.state[parameter] = {"step": tensors["step"].clone(), **moments}


def weight_tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """All parameters by name, tied ones once."""
    return {name: parameter.detach().cpu().contiguous() for name, parameter in model.named_parameters()}


@torch.no_grad()
def load_weight_tensors(model: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    for name, parameter in model.named_parameters():
        parameter.copy_(tensors[name])
