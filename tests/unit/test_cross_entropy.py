"""The fused output layer and cross-entropy, against the same written out with whole logits."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from opsft.cross_entropy import linear_cross_entropy, target_log_probs
from tests.rounding import assert_close_in_norm, gamma

TOKENS, WIDTH, VOCABULARY = 50, 16, 33


def make(dtype: torch.dtype, bias: bool) -> tuple[torch.Tensor, torch.nn.Linear, torch.Tensor, torch.Tensor]:
    """Hidden states, a head, targets, and the factors of the tokens."""
    torch.manual_seed(0)
    hidden = torch.randn(TOKENS, WIDTH, dtype=dtype, requires_grad=True)
    head = torch.nn.Linear(WIDTH, VOCABULARY, bias=bias, dtype=dtype)
    return hidden, head, torch.randint(0, VOCABULARY, (TOKENS,)), torch.rand(TOKENS, dtype=dtype)


def whole(hidden, head, targets, factors) -> tuple[torch.Tensor, torch.Tensor]:
    log_probs = head(hidden).log_softmax(1).gather(1, targets[:, None])[:, 0]
    return -(factors * log_probs).sum(), log_probs


def gradients(hidden: torch.Tensor, head: torch.nn.Linear) -> list[torch.Tensor]:
    found = [tensor.grad for tensor in (hidden, *head.parameters())]
    for tensor in (hidden, *head.parameters()):
        tensor.grad = None
    return found


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("chunk", [1, 7, TOKENS, 1000])
def test_loss_log_probs_and_gradients_equal_those_of_whole_logits(dtype, bias, chunk):
    hidden, head, targets, factors = make(dtype, bias)
    expected, expected_log_probs = whole(hidden, head, targets, factors)
    (3 * expected).backward()
    expected_gradients = gradients(hidden, head)

    loss, log_probs = linear_cross_entropy(hidden, head, targets, factors, chunk)
    (3 * loss).backward()
    assert not log_probs.requires_grad
    # A logit sums WIDTH products, its log-probability VOCABULARY exponentials, loss and the head's gradient all tokens.
    tolerance = gamma(WIDTH + VOCABULARY + TOKENS, dtype)
    pairs = [
        (loss, expected),
        (log_probs, expected_log_probs),
        *zip(gradients(hidden, head), expected_gradients, strict=True),
    ]
    for found, wanted in pairs:
        assert_close_in_norm(found.detach(), wanted.detach(), tolerance)


def test_the_gradient_is_that_of_finite_differences():
    hidden, head, targets, factors = make(torch.float64, bias=True)

    def loss(hidden, weight, bias):
        layer = torch.nn.Linear(1, 1)
        layer.weight, layer.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
        return linear_cross_entropy(hidden, layer, targets[:5], factors[:5], 2)[0]

    value = loss(hidden[:5], head.weight, head.bias)
    value.backward()
    step = torch.zeros_like(hidden[:5])
    step[2, 3] = 1e-6
    with torch.no_grad():
        difference = loss(hidden[:5] + step, head.weight, head.bias) - loss(hidden[:5] - step, head.weight, head.bias)
    # The difference of two losses of size 10 keeps ten digits less six; the third derivative adds the square of the step.
    rounding = 2 * abs(value.item()) * gamma(WIDTH + VOCABULARY, torch.float64) / 2e-6
    assert hidden.grad[2, 3].item() == pytest.approx(difference.item() / 2e-6, abs=rounding)


def test_a_frozen_head_gets_no_gradient():
    hidden, head, targets, factors = make(torch.float64, bias=True)
    whole(hidden, head, targets, factors)[0].backward()
    expected = gradients(hidden, head)[0]
    head.requires_grad_(False)
    linear_cross_entropy(hidden, head, targets, factors, 7)[0].backward()
    torch.testing.assert_close(hidden.grad, expected)
    assert head.weight.grad is head.bias.grad is None


def test_a_tied_head_adds_its_gradient_to_that_of_the_embedding():
    _, head, targets, factors = make(torch.float64, bias=False)
    inputs = torch.arange(TOKENS) % VOCABULARY

    def gradient(loss_of) -> torch.Tensor:
        loss_of(torch.nn.functional.embedding(inputs, head.weight), head, targets, factors)[0].backward()
        found, head.weight.grad = head.weight.grad, None
        return found

    expected = gradient(whole)
    torch.testing.assert_close(gradient(lambda *given: linear_cross_entropy(*given, 7)), expected)


def test_autocast_multiplies_in_bf16_and_sums_in_fp32():
    """Against the same products in bf16, made at once: what is left is rounding, and the head's gradient is fp32."""
    hidden, head, targets, factors = make(torch.float32, bias=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = head(hidden).float()
    expected = -(factors * logits.log_softmax(1).gather(1, targets[:, None])[:, 0]).sum()
    expected.backward()
    expected_gradients = gradients(hidden, head)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, log_probs = linear_cross_entropy(hidden, head, targets, factors, 7)
    loss.backward()
    found = gradients(hidden, head)
    assert log_probs.dtype == loss.dtype == found[1].dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=gamma(VOCABULARY + TOKENS))
    for each, wanted in zip(found, expected_gradients, strict=True):
        assert_close_in_norm(each, wanted, gamma(8, torch.bfloat16))


def test_the_factors_of_bf16_states_are_not_rounded_to_bf16():
    hidden, head, targets, _ = make(torch.bfloat16, bias=False)
    factors = torch.full((TOKENS,), 1 / 3)
    loss, log_probs = linear_cross_entropy(hidden, head, targets, factors, 7)
    assert loss.item() == pytest.approx(-log_probs.sum().item() / 3, rel=gamma(TOKENS))


def test_no_tokens_are_no_loss_and_no_gradient():
    hidden, head, targets, factors = make(torch.float32, bias=False)
    loss, log_probs = linear_cross_entropy(hidden[:0], head, targets[:0], factors[:0], 7)
    loss.backward()
    assert (loss.item(), len(log_probs), head.weight.grad.abs().max().item()) == (0, 0, 0)


class Shapes(TorchDispatchMode):
    """Notes the shapes of all results of matrix products, and of everything as wide as the vocabulary."""

    def __init__(self) -> None:
        super().__init__()
        self.products, self.wide = [], []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        shape = tuple(result.shape) if isinstance(result, torch.Tensor) else ()
        if len(shape) == 2 and shape[1] == VOCABULARY:
            self.wide.append(shape[0])
            if function in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default):
                self.products.append(shape[0])
        return result


def test_logits_are_never_whole_and_computed_once():
    hidden, head, targets, factors = make(torch.float32, bias=False)
    with Shapes() as seen:
        linear_cross_entropy(hidden, head, targets, factors, 8)[0].backward()
    # The head's own weight, seen from its other side, is as wide as the vocabulary too.
    assert sum(seen.products) == TOKENS
    assert max(rows for rows in seen.wide if rows != WIDTH) == 8


def test_log_probs_without_a_gradient_equal_log_softmax():
    hidden, head, targets, _ = make(torch.float32, bias=True)
    expected = head(hidden).log_softmax(1).gather(1, targets[:, None])[:, 0].detach()
    assert_close_in_norm(target_log_probs(hidden, head, targets, 7), expected, gamma(WIDTH + VOCABULARY))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_memory_on_a_gpu_stays_below_two_chunks_of_logits():
    """151,936 x 896, bf16: beside the gradient of the head, the peak holds one chunk in fp32 and its copies in bf16."""
    head = torch.nn.Linear(896, 151936, bias=False, device="cuda")
    hidden = torch.randn(8192, 896, device="cuda", requires_grad=True)
    targets, factors = torch.zeros(8192, dtype=torch.long, device="cuda"), torch.ones(8192, device="cuda")
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        linear_cross_entropy(hidden, head, targets, factors, 512)[0].backward()
    gradient, chunk = 4 * 151936 * 896, 4 * 512 * 151936
    # The bf16 copy of the weight and one product for its gradient are half a gradient each.
    assert torch.cuda.max_memory_allocated() - before < 2 * gradient + 2 * chunk + 2**27
