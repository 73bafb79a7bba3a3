"""Tensors between CPU memory and a GPU, through one page-locked buffer.

Where memory is not page-locked, one thread of the driver copies it and takes its page faults: 3 GB/s into fresh memory beside an
H100. Here all threads of PyTorch copy between it and the buffer, and the GPU reads and writes the buffer at its bus's speed.
To lock all of the memory instead would take longer than to copy it.
"""

import functools

import torch

BUFFER_BYTES = 64 << 20


def moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The same bits on `device`; the tensor itself where it is there already."""
    if tensor.is_cuda == (device.type == "cuda") or not tensor.is_contiguous():
        return tensor.to(device)
    target = torch.empty_like(tensor, device=device)
    copy_through(page_locked_buffer(), tensor, target)
    return target


def move_module(module: torch.nn.Module, device: torch.device) -> None:
    """Put all parameters and buffers on `device`, as `module.to(device)` does."""
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = moved(tensor.data, device)


@functools.cache
def page_locked_buffer() -> torch.Tensor:
    """Bytes that a GPU reads and writes by itself; locked once in a process."""
    return torch.empty(BUFFER_BYTES, dtype=torch.uint8, pin_memory=True)


@torch.no_grad()
def copy_through(buffer: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> None:
    """Copy `source` to `target`, both contiguous and of the same shape and type, as many bytes at a time as `buffer` holds."""
    parts = (bytes_of(tensor).split(len(buffer)) for tensor in (source, target))
    for read, written in zip(*parts, strict=True):
        staged = buffer[: len(read)]
        staged.copy_(read)
        written.copy_(staged)


def bytes_of(tensor: torch.Tensor) -> torch.Tensor:
    """The memory of a contiguous tensor, as bytes in a row."""
    return tensor.detach().view(-1).view(torch.uint8)
