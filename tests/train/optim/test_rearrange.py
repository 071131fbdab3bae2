"""The rearranged network trains the same weights: gradients and statistics to rounding, evaluation to the bit."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from inceptions.network import Network, create_model
from inceptions.network.layers import Branches, Pooling
from inceptions.train.optim import rearrange as room
from inceptions.train.optim.rearrange import rearrange

# Averages that count the border and averages that do not, maxima, nested branches, residuals, a bias instead of batch norm.
NETWORKS = (
    "googlenet/paper",
    "googlenet/bn",
    "bn_inception",
    "inception_v3/torchvision",
    "inception_v3/tensorflow",
    "inception_v4",
    "inception_resnet_v1",
    "inception_resnet_v2",
)


def small(name: str) -> Network:
    network = create_model(name, num_classes=5, width=0.1, depth=0.34, seed=1).double()
    network.set_dropout(0)
    return network.to(memory_format=torch.channels_last)


def images(network: Network, n: int = 3) -> Tensor:
    side = max(80, network.minimum_size)
    x = torch.randn(n, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return x.to(memory_format=torch.channels_last)


def train_once(network: Network, x: Tensor) -> dict[str, Tensor]:
    """Gradients of everything, images included, and batch norm's buffers afterwards."""
    x = x.clone().requires_grad_()
    sum((one + 1) * logits.sin().sum() for one, logits in enumerate(network.heads(x).values())).backward()
    found = {name: parameter.grad for name, parameter in network.named_parameters()} | dict(network.named_buffers())
    return {**found, "images": x.grad}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_and_statistics_are_the_plain_networks(name: str) -> None:
    plain, rearranged = small(name), small(name)
    rearrange(rearranged)
    x = images(plain)
    expected, found = train_once(plain, x), train_once(rearranged, x)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        scale = value.abs().max().item() if value is not None else 0
        torch.testing.assert_close(found[key], value, rtol=1e-7, atol=1e-9 * max(scale, 1e-3), msg=key)


@pytest.mark.parametrize("name", ["inception_v3", "inception_v4"])
def test_evaluation_is_untouched(name: str) -> None:
    plain, rearranged = small(name).eval(), small(name)
    rearrange(rearranged)
    assert rearranged.state_dict().keys() == plain.state_dict().keys()
    rearranged.eval()
    x = images(plain)
    with torch.inference_mode():
        assert torch.equal(plain(x), rearranged(x))


def test_only_what_trains_is_rearranged() -> None:
    """Layers before those that learn stay in evaluation mode, and compute to the bit what they compute there."""
    plain, rearranged = small("inception_v3"), small("inception_v3")
    rearrange(rearranged)
    for network in (plain, rearranged):
        network.eval().get_submodule(network.architecture.taps[-1]).train()
    x = images(plain)
    for tap in ("mixed_5b", "mixed_7a"):
        assert torch.equal(plain.features(x, [tap])[tap], rearranged.features(x, [tap])[tap])
    torch.testing.assert_close(rearranged(x), plain(x))


def kept(network: nn.Module, x: Tensor) -> int:
    """Bytes that autograd keeps, each memory once."""
    alive: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: (alive.append(one), one)[1], lambda one: one):
        network.heads(x)
    return sum({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in alive}.values())


@pytest.mark.parametrize("name", ["googlenet/bn", "inception_v3", "inception_v4", "inception_resnet_v2"])
def test_less_is_kept(name: str) -> None:
    plain, rearranged = small(name), small(name)
    rearrange(rearranged)
    x = images(plain)
    assert kept(rearranged, x) < kept(plain, x)


def test_fewer_channels_are_averaged() -> None:
    network = create_model("inception_v3", width=0.1)
    seen: list[int] = []
    rearrange(network)
    for module in network.modules():
        if isinstance(module, Pooling) and module.node.kind == "average":
            module.register_forward_hook(lambda _module, given, _out: seen.append(given[0].shape[1]))
    network(torch.randn(2, 3, 96, 96))
    assert len(seen) == 9
    # As many as the projection makes, of up to 2,048 at full width that come in.
    assert max(seen) == round(192 * 0.1)


def test_first_convolutions_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    filters: list[int] = []
    convolved = functional.conv2d

    def counted(x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        filters.append(len(weight))
        return convolved(x, weight, *rest)

    network = small("inception_v3")
    monkeypatch.setattr(room, "conv2d", counted)
    rearrange(network)
    network.train()(images(network))
    modules = [layer for layer in network.modules() if isinstance(layer, Branches)]
    together = [layer.forward for layer in modules if isinstance(layer.forward, room._Together)]
    assert filters == [sum(unit.node.filters for unit in one._units) for one in together]
    assert len(together) >= 4


@pytest.mark.parametrize("part", ["first", "last"])
def test_layers_in_evaluation_compute_for_themselves(part: str) -> None:
    plain, rearranged = small("inception_v3"), small("inception_v3")
    rearrange(rearranged)
    for network in (plain, rearranged):
        for layer in network.modules():
            if isinstance(layer, Branches):
                [*layer.children()][0 if part == "first" else -1].eval()
    x = images(plain)
    expected, found = train_once(plain, x), train_once(rearranged, x)
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-7, atol=1e-12, msg=key)


def test_a_pass_that_fails_leaves_nothing_behind() -> None:
    network = small("inception_v3")
    rearrange(network)
    layer = [layer for layer in network.modules() if isinstance(layer, Branches)][1]
    seen: list[weakref.ref[Tensor]] = []

    def failing(_module: nn.Module, given: tuple[Tensor, ...], _out: Tensor) -> None:
        seen.append(weakref.ref(given[0]))
        raise RuntimeError("out of memory")

    handle = next(one for one in layer.modules() if isinstance(one, nn.BatchNorm2d)).register_forward_hook(failing)
    with pytest.raises(RuntimeError, match="out of memory"):
        network(images(network))
    handle.remove()
    gc.collect()
    assert [one() for one in seen] == [None]
    copy.deepcopy(network)


def test_a_copy_trains_itself() -> None:
    network = small("inception_v3")
    rearrange(network)
    other = copy.deepcopy(network)
    x = images(network)
    train_once(other, x)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(parameter.grad is not None for parameter in other.parameters())
    counts = [value for name, value in network.named_buffers() if name.endswith("num_batches_tracked")]
    assert counts
    assert not any(counts)
