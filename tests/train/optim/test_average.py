"""The moving average against its closed form."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from inceptions.errors import UsageError
from inceptions.network import create_model
from inceptions.recipe import Optim, Recipe
from inceptions.train.optim.average import Average, even, warmed_up


def test_the_decay_warms_up() -> None:
    assert [warmed_up(0.9, n) for n in (0, 1, 10, 80, 81, 10**6)] == [0.1, 2 / 11, 11 / 20, 0.9, 0.9, 0.9]


def test_parameters_and_buffers_follow_the_closed_form() -> None:
    network = create_model("googlenet", num_classes=2, width=0.1, seed=0)
    average = Average(network, 0.5)
    expected = {name: tensor.clone().double() for name, tensor in network.state_dict().items()}
    generator = torch.Generator().manual_seed(1)
    for n in range(6):
        with torch.no_grad():
            for tensor in network.state_dict().values():
                if tensor.is_floating_point():
                    tensor.copy_(torch.randn(tensor.shape, generator=generator))
                else:
                    tensor.add_(1)
        average.update()
        decay = min(0.5, (1 + n) / (10 + n))
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                expected[name] = decay * expected[name] + (1 - decay) * tensor.double()
            else:
                expected[name] = tensor.double()
    assert average.updates == 6
    found = average.network.state_dict()
    assert any("running_var" in name for name in found)
    for name, tensor in expected.items():
        assert torch.allclose(found[name].double(), tensor, rtol=1e-5, atol=1e-6), name


def test_an_even_average_is_the_mean_of_the_last_iterates() -> None:
    """Polyak's: neither earlier nor later ones count more."""
    network = create_model("plain_cnn", num_classes=2, width=0.1, seed=0)
    recipe = Recipe(name="t", summary="", epochs=5, batch_size=4, image_size=64, polyak=0.6, optim=Optim(lr=0.1))
    average = Average.of(network, recipe, steps=20)
    assert average is not None
    generator = torch.Generator().manual_seed(1)
    iterates: dict[str, list[torch.Tensor]] = {name: [] for name in network.state_dict()}
    for step in range(20):
        with torch.no_grad():
            for name, tensor in network.state_dict().items():
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
                iterates[name].append(tensor.double().clone())
        average.update()
        for name, tensor in average.network.state_dict().items():
            kept = iterates[name][8:] or iterates[name][-1:]
            assert torch.allclose(tensor.double(), torch.stack(kept).mean(0), rtol=1e-5, atol=1e-6), (step, name)
    assert [even(8, n) for n in (0, 7, 8, 9, 10)] == [0, 0, 0, 1 / 2, 2 / 3]


def test_a_recipe_has_one_average_or_none() -> None:
    network = create_model("plain_cnn", num_classes=2, width=0.1, seed=0)
    recipe = Recipe(name="t", summary="", epochs=5, batch_size=4, image_size=64, optim=Optim(lr=0.1))
    assert Average.of(network, recipe, steps=9) is None
    exponential = Average.of(network, replace(recipe, ema=0.9), steps=9)
    assert exponential is not None
    assert [exponential.decay(n) for n in (0, 80, 1000)] == [0.1, 0.9, 0.9]
    last = Average.of(network, replace(recipe, polyak=0.01), steps=9)
    assert last is not None
    assert [last.decay(n) for n in range(9)] == [0] * 9, "the last update alone"
    with pytest.raises(UsageError, match="two averages"):
        replace(recipe, ema=0.9, polyak=0.5)


def test_the_average_has_a_life_of_its_own() -> None:
    network = create_model("plain_cnn", num_classes=2, width=0.1, seed=0)
    average = Average(network, 0.9)
    before = {name: tensor.clone() for name, tensor in average.network.state_dict().items()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert all(torch.equal(before[name], tensor) for name, tensor in average.network.state_dict().items())
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    assert not average.network.training
    assert network.training


@pytest.mark.parametrize("decay", [0.0, 0.999])
def test_an_unchanging_network_is_its_own_average(decay) -> None:
    network = create_model("plain_cnn", num_classes=2, width=0.1, seed=0)
    average = Average(network, decay)
    for _ in range(5):
        average.update()
    for name, tensor in network.state_dict().items():
        assert torch.allclose(average.network.state_dict()[name], tensor, atol=1e-7)
