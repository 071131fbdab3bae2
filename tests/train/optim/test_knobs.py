"""What a recipe changes about a network while it trains."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inceptions.network import Network, create_model
from inceptions.recipe import Optim, Recipe
from inceptions.train.optim.knobs import set_knobs


def recipe(**changes) -> Recipe:
    return Recipe(name="t", summary="", epochs=1, batch_size=4, image_size=64, optim=Optim(lr=0.1), **changes)


def dropouts(network: Network) -> list[float]:
    return [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)]


def test_a_recipe_without_them_leaves_the_network_alone() -> None:
    network = create_model("googlenet", num_classes=2, width=0.1, seed=0)
    before = dropouts(network)
    set_knobs(network, recipe())
    assert dropouts(network) == before
    assert {layer.momentum for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)} == {0.1}


def test_dropout_and_batch_norms_momentum() -> None:
    network = create_model("googlenet", num_classes=2, width=0.1, seed=0)
    set_knobs(network, recipe(dropout=0.0, bn_momentum=0.0003))
    assert set(dropouts(network)) == {0.0}
    assert {layer.momentum for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)} == {0.0003}


@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_a_network_that_declares_no_dropout_gets_one_before_its_classifier(rate) -> None:
    network = create_model("bn_inception/paper", num_classes=2, width=0.1, depth=0.2, seed=0)
    keys = list(network.state_dict())
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    network.eval()
    answer = network(x)
    set_knobs(network, recipe(dropout=rate))
    assert dropouts(network) == ([rate] if rate else [])
    assert [name for name, _ in network.get_submodule("main").named_children()][-1] == "logits"
    assert list(network.state_dict()) == keys
    assert torch.equal(network(x), answer), "outside training it does nothing"
    if rate:
        network.get_submodule("main").train()
        assert not torch.equal(network(x), answer)
