"""Optimisers against their formulas, and their memory through a checkpoint."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from inceptions.errors import UsageError
from inceptions.recipe import Optim
from inceptions.train.optim.optimiser import build, restore_state, set_rate, state_tensors

KINDS = [
    Optim(kind="adamw", lr=0.01, weight_decay=0.1),
    Optim(kind="sgd", lr=0.01, momentum=0.9, weight_decay=0.1),
    Optim(kind="rmsprop", lr=0.01, alpha=0.9, eps=1e-7),
    Optim(kind="rmsprop", lr=0.01, momentum=0.5),
    Optim(kind="sgd", lr=0.01, momentum=0.8, nesterov=True),
    Optim(kind="rmsprop_tf", lr=0.01, alpha=0.9, eps=1.0, momentum=0.9, weight_decay=4e-5),
    Optim(kind="adagrad", lr=0.01, eps=1e-10),
]


def layers() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2))
    return model.to(memory_format=torch.channels_last)


def steps(model: nn.Module, optimiser: torch.optim.Optimizer, count: int, start: int = 0) -> None:
    for i in range(start, start + count):
        generator = torch.Generator().manual_seed(i)
        x = torch.randn(4, 3, 8, 8, generator=generator)
        optimiser.zero_grad()
        model(x).square().mean().backward()
        optimiser.step()


def test_keras_rmsprop_for_ten_steps() -> None:
    # keras.optimizers.RMSprop of 2017: a = rho a + (1 - rho) g²; p = p - lr g / (sqrt(a) + eps)
    parameter = nn.Parameter(torch.tensor([[1.0, -2.0], [0.5, 3.0]]))
    model = nn.ParameterList([parameter])
    optimiser = build(model, Optim(kind="rmsprop", lr=1e-2, alpha=0.9, eps=1e-7))
    value, squares = parameter.detach().double().clone(), torch.zeros(2, 2, dtype=torch.float64)
    for i in range(10):
        gradient = torch.full((2, 2), float(i - 4)) + parameter.detach()
        parameter.grad = gradient.clone()
        optimiser.step()
        gradient64 = (i - 4) + value
        squares = 0.9 * squares + 0.1 * gradient64**2
        value = value - 1e-2 * gradient64 / (squares.sqrt() + 1e-7)
        assert torch.allclose(parameter.double(), value, rtol=1e-5), i


def test_nesterov_looks_ahead() -> None:
    # Sutskever et al. 2013, as torch and TensorFlow write it: v = mu v + g; p = p - lr (g + mu v)
    parameter = nn.Parameter(torch.tensor([[1.0, -2.0]]))
    optimiser = build(nn.ParameterList([parameter]), Optim(kind="sgd", lr=0.1, momentum=0.9, nesterov=True))
    value, speed = parameter.detach().double().clone(), torch.zeros(1, 2, dtype=torch.float64)
    for i in range(10):
        parameter.grad = (i - 4) + parameter.detach()
        gradient = (i - 4) + value
        optimiser.step()
        speed = 0.9 * speed + gradient
        value = value - 0.1 * (gradient + 0.9 * speed)
        assert torch.allclose(parameter.double(), value, rtol=1e-5, atol=1e-6), i
    with pytest.raises(UsageError, match=r"optim\.nesterov needs optim\.kind"):
        Optim(kind="adamw", lr=0.1, nesterov=True)


@pytest.mark.parametrize("optim", [one for one in KINDS if one.weight_decay and one.kind != "adamw"], ids=str)
def test_l2_is_a_part_of_the_gradient(optim) -> None:
    """Of weights only: as if it had been in the loss."""
    plain, decayed = layers(), layers()
    without = build(plain, replace(optim, weight_decay=0.0))
    within = build(decayed, optim)
    for step in range(4):
        for model in (plain, decayed):
            for parameter in model.parameters():
                parameter.grad = torch.full_like(parameter, 0.3 * step - 0.5)
        for parameter in plain.parameters():
            if parameter.ndim > 1:
                parameter.grad.add_(parameter.detach(), alpha=optim.weight_decay)
        without.step()
        within.step()
    for one, other in zip(plain.parameters(), decayed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_decay_spares_biases_and_norms() -> None:
    model = layers()
    optimiser = build(model, Optim(kind="adamw", lr=0.5, weight_decay=0.1))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    for name, parameter in model.named_parameters():
        factor = 1 - 0.5 * 0.1 if parameter.ndim > 1 else 1.0
        assert torch.allclose(parameter, before[name] * factor, atol=1e-7), name


def test_the_rate_is_that_of_the_next_update() -> None:
    model = layers()
    optimiser = build(model, Optim(kind="sgd", lr=1.0))
    before = model[3].bias.detach().clone()
    set_rate(optimiser, 0.25)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    assert torch.allclose(model[3].bias, before - 0.25)


@pytest.mark.parametrize("optim", KINDS, ids=lambda optim: f"{optim.kind}-{optim.momentum}")
def test_a_restored_optimiser_goes_on_to_the_bit(optim) -> None:
    model = layers()
    optimiser = build(model, optim)
    steps(model, optimiser, 3)
    # Through the layout that a file has.
    saved: dict[str, Tensor] = {name: tensor.contiguous().clone() for name, tensor in state_tensors(optimiser, model).items()}
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    steps(model, optimiser, 3, start=3)

    again = layers()
    again.load_state_dict(weights)
    restored = build(again, optim)
    restore_state(restored, again, saved)
    steps(again, restored, 3, start=3)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
