"""The graph of a network against the network, at a twentieth of its width and with one module a stage."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import lively

from inceptions.architecture.nodes import Chain, Dropout
from inceptions.data import normalise
from inceptions.deploy.engines.module import reference
from inceptions.deploy.graph import Affine, Channels, inputs
from inceptions.deploy.lower import lower
from inceptions.deploy.shapes import shapes
from inceptions.errors import UsageError
from inceptions.network import Network, list_models
from inceptions.weights import Preprocess


@cache
def built(name: str, until: str | None = None) -> Network:
    """A small network whose batch norms do something."""
    return lively(name, aux=True, until=until)


def noise(model: Network, more: tuple[int, int] = (2, 13)) -> torch.Tensor:
    size = (model.minimum_size + more[0], model.minimum_size + more[1])
    return torch.randn(2, model.architecture.options.in_channels, *size, generator=torch.Generator().manual_seed(1))


def check(model: Network, x: torch.Tensor) -> None:
    with torch.inference_mode():
        expected = model.heads(x)
    graph = lower(model, size=(x.shape[2], x.shape[3]), heads=list(expected))
    found = reference(graph, x)
    assert list(found) == list(expected)
    for head, logits in expected.items():
        assert (found[head] - logits).abs().max() <= 1e-5 * logits.abs().max(), head


@pytest.mark.parametrize("name", list_models())
@given(more=st.tuples(st.integers(0, 40), st.integers(0, 40)))
@settings(max_examples=2, deadline=None)
def test_computes_what_the_network_computes(name: str, more: tuple[int, int]) -> None:
    model = built(name)
    check(model, noise(model, more))


@pytest.mark.parametrize("name", list_models())
def test_every_value_is_made_before_it_is_read_and_has_a_shape(name: str) -> None:
    graph = lower(built(name), heads=[head.name for head in built(name).architecture.heads])
    known = {graph.input}
    for op in graph.ops:
        assert set(inputs(op)) <= known
        assert op.name not in known
        known.add(op.name)
    assert set(graph.outputs.values()) <= known
    assert set(shapes(graph)) == known
    assert all(shapes(graph)[value] == (5,) for value in graph.outputs.values())
    # Whatever a tap of the trunk makes can be found in the graph under the tap's name.
    declared = built(name).architecture
    kept = {node.name for node in declared.trunk.nodes if not isinstance(node, Dropout | Chain)}
    assert kept & {*declared.way} <= known


def test_ends_where_the_network_ends() -> None:
    model = built("googlenet", "inception_4a")
    check(model, noise(model))


def test_only_the_heads_asked_for() -> None:
    model = built("googlenet")
    first = lower(model, heads=["aux_4a"])
    assert list(first.outputs) == ["aux_4a"]
    assert not any(op.name.startswith(("inception_4b", "main")) for op in first.ops)
    assert list(lower(model, heads=["main", "aux_4a"]).outputs) == ["aux_4a", "main"]
    with pytest.raises(UsageError, match="head"):
        lower(model, heads=["aux_9z"])


def test_refuses_a_size_that_does_not_fit() -> None:
    with pytest.raises(UsageError, match="at least"):
        lower(built("inception_v3"), size=(300, 20))


@pytest.mark.parametrize("name", ["inception_v3", "bn_inception"])
@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_begins_with_pixels(name: str, channels: str) -> None:
    model = built(name)
    preprocess = Preprocess(size=(96, 99), resize_to=99, channels=channels, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
    graph = lower(model, preprocess=preprocess)
    assert graph.pixels
    assert graph.shape == (3, 96, 99)
    images = np.random.default_rng(2).integers(0, 256, (2, 96, 99, 3), np.uint8)
    with torch.inference_mode():
        expected = model(normalise(torch.from_numpy(images).permute(0, 3, 1, 2), preprocess))
    found = reference(graph, torch.from_numpy(images))["main"]
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_pixels_of_another_number_of_channels_are_refused() -> None:
    grey = Preprocess(size=(96, 96), resize_to=96, channels="L", mean=(0.5,), std=(0.5,))
    with pytest.raises(UsageError, match="channels"):
        lower(built("inception_v3"), preprocess=grey)


def test_shares_the_weights_and_leaves_the_rewriting_to_others() -> None:
    model = built("inception_v3")
    graph = lower(model)
    first = next(op for op in graph.ops if op.name == "conv2d_1a.conv" or op.name.endswith(".conv"))
    assert np.shares_memory(first.weight, next(model.parameters()).detach().numpy())
    assert any(isinstance(op, Affine) for op in graph.ops)
    assert not any(isinstance(op, Channels) for op in graph.ops)
