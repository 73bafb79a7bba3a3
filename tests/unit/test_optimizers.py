"""The optimisers: that offloading changes nothing on a CPU, and that 8 bits are put back to the bit."""

import copy

import pytest
import torch

from opsft.optimizers import OffloadedAdamW, make_optimizer, take_step
from opsft.training_state import load_optimizer_tensors, load_weight_tensors, optimizer_tensors, weight_tensors

OPTIONS = {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.01}
KINDS = [("adamw", False), ("adamw", True), ("adamw_8bit", False)]


def make(name: str, offload: bool) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """A model with a matrix that is large enough to be quantised, and its optimiser."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.Tanh(), torch.nn.Linear(128, 1))
    return model, make_optimizer(model, name, offload, **OPTIONS)


def step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, number: int) -> float:
    """One update on the same data, at a rate that depends on `number`; returns the loss before it."""
    inputs = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    optimizer.zero_grad()
    loss = (model(inputs) - 1).square().mean()
    loss.backward()
    take_step(optimizer, lr=0.001 / (1 + number))
    return loss.item()


@pytest.mark.parametrize(("name", "offload"), KINDS)
def test_training_goes_on_to_the_bit_from_the_named_tensors(name, offload):
    model, optimizer = make(name, offload)
    losses = [step(model, optimizer, number) for number in range(3)]
    kept = copy.deepcopy((weight_tensors(model), optimizer_tensors(model, optimizer)))
    losses += [step(model, optimizer, number) for number in (3, 4)]
    assert losses[-1] < losses[0]

    resumed, resumed_optimizer = make(name, offload)
    load_weight_tensors(resumed, kept[0])
    load_optimizer_tensors(resumed, resumed_optimizer, kept[1])
    assert [step(resumed, resumed_optimizer, number) for number in (3, 4)] == losses[3:]
    pairs = [(weight_tensors(model), weight_tensors(resumed))]
    pairs.append((optimizer_tensors(model, optimizer), optimizer_tensors(resumed, resumed_optimizer)))
    for expected, found in pairs:
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_offloaded_adamw_on_a_cpu_is_adamw_to_the_bit():
    (plain, optimizer), (offloaded, offloaded_optimizer) = make("adamw", False), make("adamw", True)
    assert isinstance(offloaded_optimizer, OffloadedAdamW)
    for number in range(4):
        assert step(plain, optimizer, number) == step(offloaded, offloaded_optimizer, number)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), offloaded.parameters(), strict=True))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_offloaded_moments_are_in_cpu_memory():
    model = torch.nn.Linear(4, 4).cuda()
    optimizer = make_optimizer(model, "adamw", True, **OPTIONS)
    model(torch.ones(1, 4, device="cuda")).sum().backward()
    take_step(optimizer, lr=0.1)
    assert {moment.device.type for state in optimizer.state.values() for moment in state.values()} == {"cpu"}


def test_eight_bit_moments_take_a_quarter_of_the_memory():
    sizes = {}
    for name in ("adamw", "adamw_8bit"):
        model, optimizer = make(name, False)
        step(model, optimizer, 0)
        tensors = optimizer_tensors(model, optimizer)
        sizes[name] = sum(tensor.nbytes for key, tensor in tensors.items() if key.startswith("0.weight"))
    assert sizes["adamw"] == 2 * 4 * 64 * 128
    # A byte a value, and a scale of 4 bytes for each block of 256.
    assert sizes["adamw_8bit"] == 2 * (64 * 128 + 4 * 64 * 128 // 256)


def test_what_does_not_go_together_and_unknown_names_are_refused():
    model = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="found two of adamw_8bit, moments in CPU memory, and several processes"):
        make_optimizer(model, "adamw_8bit", True, **OPTIONS)
    with pytest.raises(ValueError, match="optimizer 'sgd' is unknown; allowed: adamw, adamw_8bit"):
        make_optimizer(model, "sgd", False, **OPTIONS)


def test_frozen_parameters_are_neither_trained_nor_kept():
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 1))
    model[0].requires_grad_(False)
    optimizer = make_optimizer(model, "adamw", False, **OPTIONS)
    model(torch.ones(1, 3)).sum().backward()
    take_step(optimizer, lr=0.1)
    assert weight_tensors(model).keys() == {"1.weight", "1.bias"}
    assert {key.split(".")[0] for key in optimizer_tensors(model, optimizer)} == {"1", "step"}
