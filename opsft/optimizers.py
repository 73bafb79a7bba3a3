"""The optimisers of training: AdamW, with its moments on the device, in CPU memory, or in 8 bits."""

import torch
from torch.optim.adamw import adamw

from opsft import eight_bit, processes

OPTIMIZERS = ("adamw", "adamw_8bit")


def make_optimizer(model: torch.nn.Module, name: str, offload: bool, **options: object) -> torch.optim.Optimizer:
    """The optimiser `name` of all parameters that are trained, with AdamW's `options`; with `offload` its moments are in CPU memory.

    Raises ValueError for an unknown name, a package that is not installed, and what does not go together.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer {name!r} is unknown; allowed: {', '.join(OPTIMIZERS)}")
    if sum((name == "adamw_8bit", offload, processes.count() > 1)) > 1:
        raise ValueError("found two of adamw_8bit, moments in CPU memory, and several processes; allowed: one of them")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if name == "adamw_8bit":
        return eight_bit.make_optimizer(parameters, options)
    return OffloadedAdamW(parameters, **options) if offload else torch.optim.AdamW(parameters, **options)


class OffloadedAdamW(torch.optim.AdamW):
    """AdamW with its moments and its arithmetic in CPU memory: weights and gradients go there and back, one at a time."""

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.step_one(parameter, group)

    def step_one(self, parameter: torch.Tensor, group: dict) -> None:
        weight, state = parameter.detach().cpu(), self.state[parameter]
        if not state:
            state |= {
                "step": torch.tensor(0.0),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }
        adamw(
            [weight],
            [parameter.grad.cpu()],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [],
            [state["step"]],
            foreach=False,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )
        parameter.copy_(weight)


def take_step(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """One step at the learning rate `lr`."""
    for group in optimizer.param_groups:
        # torchao keeps it in a tensor, which a compiled step reads.
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr
    with eight_bit.uncompiled_on_cpu(optimizer):
        optimizer.step()
