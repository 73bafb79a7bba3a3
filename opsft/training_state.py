"""Trained weights and AdamW moments as named tensors, so that they can be kept in safetensors and put back to the bit.

Where several processes share them out, all take part in gathering, and only the leader gets the tensors.
"""

import torch

from opsft import eight_bit, processes
from opsft.checkpoint_files import some
from opsft.optimizers import OffloadedAdamW
from opsft.transfer import moved

MOMENTS = ("exp_avg", "exp_avg_sq")


def trained(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters that are trained, by name, tied ones once."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def gathered(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Whole tensors in CPU memory; empty for who is not the leader."""
    kept = {}
    for name, tensor in tensors.items():
        entire = processes.whole(tensor.detach())
        if processes.number() == 0:
            kept[name] = moved(entire, torch.device("cpu")).contiguous()
    return kept


def optimizer_tensors(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """`{parameter}.exp_avg`, `{parameter}.exp_avg_sq` and `step`; empty before the first update.

    A moment of 8 bits is two tensors, `{parameter}.exp_avg.codes` and `{parameter}.exp_avg.scale`.
    """
    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in trained(model).items():
        state = optimizer.state.get(parameter)
        if state:
            tensors |= {
                key: part for moment in MOMENTS for key, part in named(f"{name}.{moment}", state[moment]).items()
            }
            tensors["step"] = state["step"].clone()
    return gathered(tensors)


def named(name: str, moment: torch.Tensor) -> dict[str, torch.Tensor]:
    if not eight_bit.is_quantised(moment):
        return {name: moment}
    return {f"{name}.{part}": tensor for part, tensor in eight_bit.parts_of(moment).items()}


def load_optimizer_tensors(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]
) -> None:
    """Put back what `optimizer_tensors` gave. Raises ValueError where a parameter has no moments of its shape in `tensors`."""
    if not tensors:
        return
    for name, parameter in trained(model).items():
        like = parameter.detach().cpu() if isinstance(optimizer, OffloadedAdamW) else parameter
        moments = {moment: find_moment(tensors, name, moment, like) for moment in MOMENTS}
        optimizer.state[parameter] = {"step": tensors["step"].clone(), **moments}


def find_moment(tensors: dict[str, torch.Tensor], name: str, moment: str, like: torch.Tensor) -> torch.Tensor:
    key = f"{name}.{moment}"
    if f"{key}.codes" in tensors:
        signed = moment == MOMENTS[0]
        return eight_bit.moment_from(tensors[f"{key}.codes"], tensors[f"{key}.scale"], signed, like.device)
    if key not in tensors or tensors[key].shape != like.shape:
        found = f"one of shape {[*tensors[key].shape]}" if key in tensors else "none"
        raise ValueError(
            f"the optimiser's state needs {moment} of shape {[*like.shape]} for parameter {name}; it has {found}"
        )
    return processes.sharded_like(tensors[key], like).clone()


def weight_tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """All trained parameters by name, tied ones once."""
    return gathered(trained(model))


@torch.no_grad()
def load_weight_tensors(model: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Put back what `weight_tensors` gave. Raises ValueError where names or shapes are not those of the trained parameters."""
    parameters = trained(model)
    missing, unexpected = sorted(parameters.keys() - tensors.keys()), sorted(tensors.keys() - parameters.keys())
    shapes = [
        f"{name} {[*tensors[name].shape]} instead of {[*parameter.shape]}"
        for name, parameter in parameters.items()
        if name in tensors and tensors[name].shape != parameter.shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    found = [f"{len(names)} tensors are {kind} ({some(names)})" for kind, names in kinds.items() if names]
    if found:
        raise ValueError(f"the weights that were kept are not of this model: {'; '.join(found)}")
    for name, parameter in parameters.items():
        parameter.copy_(processes.sharded_like(tensors[name], parameter))


def checkpoint_tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state of the whole model, trained or not, as a checkpoint holds it: tied tensors are the same tensor under two names."""
    state = model.state_dict(keep_vars=True)
    names = {id(tensor): name for name, tensor in state.items()}
    once = gathered({name: state[name] for name in names.values()})
    return {name: once[names[id(tensor)]] for name, tensor in state.items()} if once else {}
