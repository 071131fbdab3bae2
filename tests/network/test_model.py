"""What a built network can be told: dropout, batch norm's momentum, its number of classes where none is given."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inceptions.errors import UsageError
from inceptions.network import Network, adapt_input, create_model

SMALL = {"width": 0.05, "depth": 0.1}


def rates(model: Network) -> dict[str, float]:
    return {name: module.p for name, module in model.named_modules() if isinstance(module, nn.Dropout)}


def momenta(model: Network) -> set[float | None]:
    return {module.momentum for module in model.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)}


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("googlenet", {"main.dropout": 0.4, "aux_4a.dropout": 0.7, "aux_4d.dropout": 0.7}),
        ("googlenet/slim", {"main.dropout": 0.2}),
        ("inception_resnet_v1", {"bottleneck.dropout": 0.6}),
        ("bn_inception", {}),
    ],
)
def test_dropout(name: str, declared: dict[str, float]) -> None:
    model = create_model(name, num_classes=3, width=0.05)
    assert rates(model) == declared
    for rate in (0, 0.5):
        model.set_dropout(rate)
        assert rates(model) == dict.fromkeys(declared, rate)
    model.reset_classifier(4)
    assert rates(model) == dict.fromkeys(declared, 0.5)
    model.set_dropout(None)
    assert rates(model) == declared


@pytest.mark.parametrize("rate", [-0.1, 1, 40, float("nan")])
def test_a_rate_of_dropout_is_a_share(rate: float) -> None:
    with pytest.raises(UsageError, match="at least 0 and below 1"):
        create_model("googlenet", num_classes=3, **SMALL).set_dropout(rate)


def test_without_dropout_training_repeats_itself() -> None:
    model = create_model("googlenet/paper", num_classes=3, seed=1, **SMALL).train()
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert not torch.equal(model(x), model(x))
    model.set_dropout(0)
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize("name", ["inception_v3", "inception_resnet_v1"])
def test_bn_momentum(name: str) -> None:
    model = create_model(name, num_classes=3, seed=1, **SMALL)
    assert momenta(model) == {0.1}
    model.set_bn_momentum(0.0003)
    assert momenta(model) == {0.0003}
    model(torch.randn(2, 3, 80, 80, generator=torch.Generator().manual_seed(1)))
    # Three ten-thousandths of the way from 1 to the batch's variance.
    assert (model.get_submodule("conv_1a.bn").running_var - 1).abs().max() < 0.01


@pytest.mark.parametrize("momentum", [0, -0.1, 1.1, float("nan")])
def test_a_momentum_is_above_0(momentum: float) -> None:
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        create_model("googlenet", num_classes=3, **SMALL).set_bn_momentum(momentum)


def test_the_published_number_of_classes() -> None:
    for name, classes in (("inception_v3/fid", 1008), ("inception_v3", 1000), ("googlenet/slim", 1000)):
        model = create_model(name, device="meta")
        assert model.architecture.options.num_classes == classes
        assert model.get_submodule("main.logits.linear").weight.shape[0] == classes
    assert create_model("inception_v3/fid", num_classes=7, **SMALL).architecture.options.num_classes == 7


def test_ends_at_a_stride() -> None:
    model = create_model("inception_v3", num_classes=3, until=16, **SMALL)
    assert model.architecture.options.until == model.architecture.taps[-1] == "mixed_6b"
    with pytest.raises(UsageError, match="no tap at stride 3"):
        create_model("inception_v3", until=3)


@pytest.mark.parametrize(("old", "new"), [(4, 3), (2, 3)])
def test_a_separable_layer_says_where_it_has_no_room(old: int, new: int) -> None:
    model = create_model("bn_inception/slim", in_channels=old, num_classes=3, **SMALL)
    with pytest.raises(UsageError, match=f"no room for the filters of {old} channels when it reads {new}"):
        adapt_input(model.state_dict(), model.architecture, new)
