"""AdamW with moments of 8 bits in blocks of 256 (arXiv 2110.02861), by torchao.

Moments with fewer than 4,096 values stay in fp32. torchao compiles the step; that needs a C compiler, and on a CPU it is
not worth its time, so there the same functions run uncompiled.
"""

import contextlib
import importlib.util

import torch


def check_installed() -> None:
    """Raise ValueError where torchao is missing; loads nothing."""
    if importlib.util.find_spec("torchao") is None:
        raise ValueError(
            "sft.optimizer is adamw_8bit, which needs torchao; it is not installed: pip install 'opsft[8bit]'"
        )


def make_optimizer(parameters: list[torch.nn.Parameter], options: dict) -> torch.optim.Optimizer:
    check_installed()
    from torchao.optim import AdamW8bit

    return AdamW8bit(parameters, **options)


def uncompiled_on_cpu(optimizer: torch.optim.Optimizer) -> contextlib.AbstractContextManager:
    """A context in which torchao's step on a CPU is not compiled; for any other optimiser or device, one that does nothing."""
    device = optimizer.param_groups[0]["params"][0].device
    if device.type == "cpu" and type(optimizer).__module__.startswith("torchao."):
        return torch.compiler.set_stance("force_eager")
    return contextlib.nullcontext()


def is_quantised(moment: torch.Tensor) -> bool:
    return hasattr(moment, "codes")


def parts_of(moment: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a quantised moment consists of; its table of values is a constant."""
    return {"codes": moment.codes, "scale": moment.scale}


def moment_from(codes: torch.Tensor, scale: torch.Tensor, signed: bool, device: torch.device) -> torch.Tensor:
    """The quantised moment that `parts_of` took apart; the first moment is signed, the second is not."""
    from torchao.optim.subclass_8bit import OptimState8bit

    block = codes.numel() // scale.numel()
    moment = OptimState8bit.zeros(codes.shape, signed, block, device, dtype=torch.float32)
    moment.codes.copy_(codes)
    moment.scale.copy_(scale)
    return moment
