"""Training by several processes, one a GPU: started by torchrun, the model sharded by FSDP2.

Every process runs the same training. Weights, gradients and moments are shared out over them; micro-batches too. The first
process, the leader, is the one that writes. A process that was started alone is its own leader, and nothing here does anything.
"""

import contextlib
import datetime
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
import torch.distributed as dist

from opsft.transfer import moved

Value = TypeVar("Value")


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Be one of the processes that torchrun has started, where it has started several. After an error it ends them all."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    # The others wait while the leader reads or writes a state; that of a large model takes longer than the ten minutes of the default.
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=datetime.timedelta(hours=2))
    yield
    dist.destroy_process_group()


def count() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def number() -> int:
    """0 for the leader."""
    return dist.get_rank() if dist.is_initialized() else 0


def leader_first(act: Callable[[], Value]) -> Value:
    """What `act` returns, done by the leader before the others."""
    if count() == 1:
        return act()
    result = act() if number() == 0 else None
    dist.barrier()
    return result if number() == 0 else act()


def total(values: torch.Tensor) -> torch.Tensor:
    """The sum of `values` over all processes."""
    if count() > 1:
        dist.all_reduce(values)
    return values


def shard(root: torch.nn.Module, decoder: torch.nn.Module, device: torch.device) -> None:
    """Share out the parameters of `root`, gathered for one layer of its `decoder` at a time.

    Gradients are summed over the processes, not averaged. Raises ValueError for a decoder that names its layers otherwise.
    """
    if count() == 1:
        return
    if not hasattr(decoder, "layers"):
        raise ValueError(f"{type(decoder).__name__} has no `layers`: it cannot be sharded; set resources.sft.gpu to 1")
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device.type, (count(),))
    for module in (*decoder.layers, root):
        # Of the root too: else its parameters stay gathered after a forward pass without a backward one.
        fully_shard(module, mesh=mesh, reshard_after_forward=True)
        module.set_gradient_divide_factor(1.0)
        module.set_force_sum_reduction_for_comms(True)
    register_fsdp_forward_method(root, "greedy_log_prob")


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A sharded tensor gathered, by all processes together; any other as it is."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def sharded_like(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A whole tensor, which every process has, as this process's share of it where `like` is sharded."""
    if not hasattr(like, "full_tensor"):
        return moved(tensor, like.device)
    from torch.distributed.tensor import distribute_tensor

    # Every process has the whole: nothing needs to be sent.
    return distribute_tensor(moved(tensor, like.device), like.device_mesh, like.placements, src_data_rank=None)
