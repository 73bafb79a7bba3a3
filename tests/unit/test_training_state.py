"""Weights and AdamW moments as named tensors: put back, training goes on to the bit."""

import copy

import pytest
import torch

from opsft.training_state import MOMENTS, load_optimizer_tensors, load_weight_tensors, optimizer_tensors, weight_tensors


def make() -> tuple[torch.nn.Module, torch.optim.AdamW]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    return model, torch.optim.AdamW(model.parameters(), lr=0.1)


def step(model: torch.nn.Module, optimizer: torch.optim.AdamW, number: int) -> None:
    """One update on data that only depend on `number`."""
    inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(number))
    optimizer.zero_grad()
    model(inputs).square().mean().backward()
    optimizer.step()


def test_training_goes_on_to_the_bit_from_the_named_tensors():
    model, optimizer = make()
    for number in range(3):
        step(model, optimizer, number)
    weights, moments = copy.deepcopy((weight_tensors(model), optimizer_tensors(model, optimizer)))
    for number in (3, 4):
        step(model, optimizer, number)

    resumed, resumed_optimizer = make()
    load_weight_tensors(resumed, weights)
    load_optimizer_tensors(resumed, resumed_optimizer, moments)
    for number in (3, 4):
        step(resumed, resumed_optimizer, number)

    expected, found = weight_tensors(model), weight_tensors(resumed)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert optimizer_tensors(resumed, resumed_optimizer)["step"].item() == 5.0


def test_without_the_moments_training_goes_on_otherwise():
    model, optimizer = make()
    step(model, optimizer, 0)
    other, other_optimizer = make()
    load_weight_tensors(other, weight_tensors(model))
    step(model, optimizer, 1)
    step(other, other_optimizer, 1)
    assert not torch.equal(model[0].weight, other[0].weight)


def test_the_names_are_those_of_the_parameters():
    model, optimizer = make()
    assert optimizer_tensors(model, optimizer) == {}
    step(model, optimizer, 0)
    names = {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert weight_tensors(model).keys() == names
    moments = {f"{name}.{moment}" for name in names for moment in ("exp_avg", "exp_avg_sq")}
    assert optimizer_tensors(model, optimizer).keys() == moments | {"step"}


def test_loading_copies_so_that_training_does_not_reach_back():
    model, optimizer = make()
    step(model, optimizer, 0)
    weights, moments = copy.deepcopy((weight_tensors(model), optimizer_tensors(model, optimizer)))
    kept = copy.deepcopy((weights, moments))
    other, other_optimizer = make()
    load_weight_tensors(other, weights)
    load_optimizer_tensors(other, other_optimizer, moments)
    step(other, other_optimizer, 1)
    for tensors, originals in zip((weights, moments), kept, strict=True):
        assert all(torch.equal(tensors[name], originals[name]) for name in originals)


def test_no_moments_are_a_fresh_start_and_missing_ones_are_named():
    model, optimizer = make()
    load_optimizer_tensors(model, optimizer, {})
    assert optimizer.state == {}
    step(model, optimizer, 0)
    moments = optimizer_tensors(model, optimizer)
    del moments["2.bias.exp_avg_sq"]
    with pytest.raises(ValueError, match=r"needs exp_avg_sq of shape \[1\] for parameter 2\.bias; it has none"):
        load_optimizer_tensors(model, optimizer, moments)


def test_tied_weights_are_kept_once():
    embedding, head = torch.nn.Embedding(6, 2), torch.nn.Linear(2, 6, bias=False)
    head.weight = embedding.weight
    assert list(weight_tensors(torch.nn.Sequential(embedding, head))) == ["0.weight"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda kept: kept.pop("model.norm.weight"), r"1 tensors are missing \(model\.norm\.weight\)"),
        (lambda kept: kept.update(extra=torch.ones(1)), r"1 tensors are unexpected \(extra\)"),
        (
            lambda kept: kept.update({"model.norm.weight": torch.ones(1)}),
            r"model\.norm\.weight \[1\] instead of \[64\]",
        ),
    ],
)
def test_weights_of_another_model_are_refused_before_any_is_put_back(tiny_model, change, message):
    kept = {name: torch.zeros_like(tensor) for name, tensor in weight_tensors(tiny_model).items()}
    change(kept)
    before = weight_tensors(tiny_model)
    with pytest.raises(ValueError, match=message):
        load_weight_tensors(tiny_model, kept)
    assert all(torch.equal(before[name], tensor) for name, tensor in weight_tensors(tiny_model).items())


def test_moments_of_another_shape_are_refused(tiny_model):
    optimizer = torch.optim.AdamW(tiny_model.parameters())
    tensors = {f"{name}.{moment}": torch.ones(1) for name, _ in tiny_model.named_parameters() for moment in MOMENTS}
    with pytest.raises(
        ValueError, match=r"needs exp_avg of shape \[64, 64\] for parameter .*; it has one of shape \[1\]"
    ):
        load_optimizer_tensors(tiny_model, optimizer, {**tensors, "step": torch.ones(())})
