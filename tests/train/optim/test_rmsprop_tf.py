"""RMSProp as TensorFlow has it, against timm's (TensorFlow's own: test_tensorflow.py), and what it remembers."""

from __future__ import annotations

import pytest
import torch
from timm.optim import RMSpropTF
from torch import nn

from inceptions.train.optim.rmsprop_tf import RMSPropTF

STEPS = 10


def parameters(count: int) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(3, 2 + i, generator=generator)) for i in range(count)]


def feed(given: list[nn.Parameter], step: int) -> None:
    generator = torch.Generator().manual_seed(100 + step)
    for parameter in given:
        parameter.grad = 10 ** (step / 3 - 2) * torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize("eps", [1.0, 1e-7])
def test_ten_steps_of_timms(momentum, decay, eps) -> None:
    ours, theirs = parameters(3), parameters(3)
    mine = RMSPropTF([{"params": ours, "weight_decay": decay}], lr=1.0, alpha=0.9, eps=eps, momentum=momentum)
    other = RMSpropTF(theirs, lr=1.0, alpha=0.9, eps=eps, momentum=momentum, weight_decay=decay)
    for step in range(STEPS):
        for optimiser, given in ((mine, ours), (other, theirs)):
            optimiser.param_groups[0]["lr"] = 0.045 * 0.94 ** (step // 2)
            feed(given, step)
            optimiser.step()
        for one, another in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, another, rtol=2e-6, atol=2e-6)


def test_a_first_step_by_hand() -> None:
    parameter = nn.Parameter(torch.tensor([1.0, -2.0]))
    parameter.grad = torch.tensor([3.0, -4.0])
    RMSPropTF([{"params": [parameter]}], lr=0.1, alpha=0.9, eps=1.0, momentum=0.9).step()
    # s = 0.9 * 1 + 0.1 * g², and 1 inside the root
    assert parameter.tolist() == pytest.approx([1 - 0.3 / (0.9 + 0.9 + 1) ** 0.5, -2 + 0.4 / (0.9 + 1.6 + 1) ** 0.5])


def test_parameters_without_gradient_stay_and_cost_nothing() -> None:
    first, second = parameters(2)
    first.grad = torch.ones_like(first)
    before = second.detach().clone()
    optimiser = RMSPropTF([{"params": [first, second]}], lr=0.1, alpha=0.9, eps=1.0, momentum=0.0)
    optimiser.step()
    assert torch.equal(second, before)
    assert set(optimiser.state) == {first}
    assert set(optimiser.state[first]) == {"square_avg"}


def test_a_closure_is_called_with_gradients() -> None:
    (parameter,) = parameters(1)
    optimiser = RMSPropTF([{"params": [parameter]}], lr=0.1, alpha=0.9, eps=1.0, momentum=0.0)

    def closure() -> float:
        loss = parameter.square().sum()
        loss.backward()
        return float(loss.detach())

    before = float(parameter.detach().square().sum())
    assert optimiser.step(closure) == pytest.approx(before)
    assert float(parameter.detach().square().sum()) < before
