"""The moving average against its closed form."""

from __future__ import annotations

import pytest
import torch

from inceptions.network import create_model
from inceptions.train.average import Average, warmed_up


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
