"""Tensors moved between CPU memory and a GPU keep every bit."""

import time

import pytest
import torch

from opsft.transfer import BUFFER_BYTES, bytes_of, copy_through, move_module, moved

CPU, GPU = torch.device("cpu"), torch.device("cuda")
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.uint8, torch.bool)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


@pytest.fixture
def eight_threads():
    """As many as an update of the experiments has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(8)
    yield
    torch.set_num_threads(threads)


def random_bits(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    """Any bits at all, such as NaN with a payload and subnormal numbers."""
    count = torch.Size(shape).numel() * dtype.itemsize
    highest = 2 if dtype == torch.bool else 256
    raw = torch.randint(highest, (count,), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return raw.view(dtype).view(shape)


def assert_same_bits(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert torch.equal(bytes_of(found.cpu().contiguous()), bytes_of(expected.cpu().contiguous()))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (8,), (7, 3), (3, 5, 11)], ids=str)
@pytest.mark.parametrize("buffer", [1, 7, 64, 4096])
def test_every_bit_is_copied_through_a_buffer_of_any_size(dtype, shape, buffer):
    source = random_bits(dtype, *shape)
    target = torch.zeros_like(source)
    copy_through(torch.empty(buffer, dtype=torch.uint8), source, target)
    assert_same_bits(target, source)


def test_a_parameter_is_copied_through_without_a_graph():
    source = torch.nn.Parameter(random_bits(torch.float32, 5, 3))
    target = torch.nn.Parameter(torch.zeros(5, 3))
    copy_through(torch.empty(16, dtype=torch.uint8), source, target)
    assert_same_bits(target, source)
    assert target.grad_fn is None


def test_what_is_there_already_is_not_copied():
    tensor = torch.ones(3)
    assert moved(tensor, CPU) is tensor


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_bit_goes_to_the_gpu_and_comes_back(dtype):
    for shape in ((), (0, 3), (1,), (7, 3), (BUFFER_BYTES // dtype.itemsize + 5,)):
        tensor = random_bits(dtype, *shape)
        there = moved(tensor, GPU)
        assert there.is_cuda
        assert_same_bits(there, tensor)
        back = moved(there, CPU)
        assert back.device == CPU
        assert_same_bits(back, tensor)
        assert moved(there, GPU).data_ptr() == there.data_ptr()


@pytest.mark.gpu
@needs_gpu
def test_a_transposed_tensor_keeps_its_values_and_strides_as_with_to():
    tensor = random_bits(torch.float32, 5, 3).t()
    there = moved(tensor, GPU)
    assert there.stride() == tensor.to(GPU).stride()
    assert_same_bits(there, tensor)
    assert_same_bits(moved(there, CPU), tensor)


@pytest.mark.gpu
@needs_gpu
def test_a_module_moves_with_its_buffers_and_its_tied_parameters_stay_tied():
    module = torch.nn.ModuleDict({"a": torch.nn.Linear(4, 4), "b": torch.nn.Linear(4, 4), "n": torch.nn.BatchNorm1d(4)})
    module["b"].weight = module["a"].weight
    expected = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    move_module(module, GPU)
    assert module["b"].weight is module["a"].weight
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in module.parameters())
    for name, tensor in module.state_dict().items():
        assert tensor.is_cuda
        assert_same_bits(tensor, expected[name])


@pytest.mark.gpu
@needs_gpu
def test_two_gigabytes_reach_the_cpu_faster_than_by_the_driver_alone(eight_threads):
    """Into memory that nobody has touched, as gathered weights go; all times are printed."""
    there = torch.ones(1 << 29, device=GPU)
    moved(there[:1], CPU)
    seconds = {}
    for name, move in {"driver": torch.Tensor.to, "buffer": moved}.items():
        started = time.monotonic()
        back = move(there, CPU)
        seconds[f"{name}, to the CPU"] = time.monotonic() - started
        started = time.monotonic()
        move(back, GPU)
        torch.cuda.synchronize()
        seconds[f"{name}, to the GPU"] = time.monotonic() - started
        del back
    print({name: f"{value:.2f} s, {2.147 / value:.1f} GB/s" for name, value in seconds.items()})
    assert seconds["buffer, to the CPU"] < seconds["driver, to the CPU"]
