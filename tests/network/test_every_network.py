"""What every network and variant must do, at a twentieth of its width and with one module a stage.

Nothing here or in the package needs torch.fx: graphs are captured by `torch.compile` (test_compile.py) and `torch.export`.
"""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from inceptions.architecture import Architecture, cost, declare
from inceptions.architecture.catalogue import steps
from inceptions.architecture.shapes import Shape, after
from inceptions.errors import UsageError
from inceptions.network import Network, adapt_input, create_model, list_models
from inceptions.weights import Card, Preprocess, load_model, save_weights

LADDER = [f"inception_v3/paper-{step}" for step in (*steps("inception_v3", "paper"), "5x5-7x7-convolution-7x7_stem-plain_aux")]
pytestmark = pytest.mark.parametrize("name", [*list_models(), *LADDER])

# With the heads that are there only if asked for.
SMALL: dict[str, Any] = {"width": 0.05, "depth": 0.1, "aux": True}
CLASSES = 5


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@cache
def built(name: str) -> Network:
    """One small network in evaluation mode for all tests that leave it as it is."""
    return create_model(name, num_classes=CLASSES, seed=3, **SMALL).eval()


def images(model: Network, more: tuple[int, int] = (2, 13), batch: int = 2) -> Tensor:
    """Noise, not square, a little larger than the network's minimum."""
    size = (model.minimum_size + more[0], model.minimum_size + more[1])
    return torch.randn(batch, model.architecture.options.in_channels, *size, generator=torch.Generator().manual_seed(1))


def maps(architecture: Architecture, height: int, width: int) -> dict[str, tuple[int, ...]]:
    """The shape of every tap by the declaration; vectors have no height and width."""
    shape, found = Shape(architecture.options.in_channels, height, width), {}
    for node in architecture.trunk.nodes:
        shape = after(node, shape)
        vector = node.name in ("bottleneck", "embedding")
        found[node.name] = (shape.channels,) if vector else (shape.channels, shape.height, shape.width)
    return found


def test_every_parameter_learns(name: str) -> None:
    model = create_model(name, num_classes=CLASSES, seed=3, **SMALL)
    logits = model.heads(images(model, batch=4))
    labels = torch.tensor([0, 1, 2, 3])
    torch.stack([functional.cross_entropy(head, labels) for head in logits.values()]).sum().backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
    weights = [p for p in model.parameters() if p.ndim == 4]
    assert sum(bool(p.grad.any()) for p in weights) > 0.9 * len(weights)


def test_heads_in_depth_order_and_main_alone(name: str) -> None:
    model = built(name)
    x = images(model)
    with torch.no_grad():
        found = model.heads(x)
        assert list(found) == [head.name for head in model.architecture.heads]
        assert all(logits.shape == (2, CLASSES) for logits in found.values())
        torch.testing.assert_close(model(x), found["main"])
        without = create_model(name, num_classes=CLASSES, **{**SMALL, "aux": False}).eval()
        without.load_state_dict({k: v for k, v in model.state_dict().items() if k in without.state_dict()})
        torch.testing.assert_close(without(x), found["main"])
    assert not any(key.startswith("aux") for key in without.state_dict())


@given(more=st.tuples(st.integers(0, 70), st.integers(0, 70)))
@settings(max_examples=5, deadline=None)
def test_declared_shapes_are_the_real_ones(name: str, more: tuple[int, int]) -> None:
    model = built(name)
    x = images(model, more, batch=1)
    with torch.no_grad():
        found = model.features(x)
    assert {tap: tuple(out.shape[1:]) for tap, out in found.items()} == maps(model.architecture, *x.shape[2:])


def test_minimum_size(name: str) -> None:
    model = built(name)
    least = model.minimum_size
    with torch.no_grad():
        assert all(logits.isfinite().all() for logits in model.heads(images(model, (0, 0))).values())
    if least > 1:
        with pytest.raises(UsageError, match=f"at least {least}×{least} pixels, not {least}×{least - 1}"):
            model(torch.zeros(1, 3, least, least - 1))


def test_declared_counts_are_the_real_ones(name: str) -> None:
    """At full width and depth, on structure alone."""
    model = create_model(name, device="meta", aux=True).eval()
    bill = cost(model.architecture)
    assert sum(p.numel() for p in model.parameters()) == bill.params_with_heads
    channels = sum(m.num_features for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d))
    assert channels == bill.layers_with_heads.normalised_channels
    x = torch.empty(1, 3, *model.architecture.input_size, device="meta")
    for run, expected in ((model, bill.macs), (model.heads, bill.macs_with_heads)):
        with FlopCounterMode(display=False) as counter:
            run(x)
        assert counter.get_total_flops() == 2 * expected


def test_declared_names_are_the_state_dicts(name: str) -> None:
    bill = cost(built(name).architecture)
    modules = dict(built(name).named_modules())

    def check(node: object) -> None:
        assert node.name in modules, node.name  # type: ignore[attr-defined]
        for inner in node.nodes:  # type: ignore[attr-defined]
            check(inner)

    for node in (*bill.nodes, *bill.heads):
        check(node)


def test_inner_taps(name: str) -> None:
    model = built(name)
    inside = next(
        path for path, module in model.named_modules() if "." in path and isinstance(module, nn.BatchNorm2d | nn.Conv2d)
    )
    seen: list[Tensor] = []
    handle = model.get_submodule(inside).register_forward_hook(lambda _module, _input, out: seen.append(out.clone()))
    with torch.no_grad():
        found = model.features(images(model), [inside])
    handle.remove()
    assert torch.equal(found[inside], seen[0])
    with pytest.raises(UsageError, match="tap"):
        model.features(images(model), [f"{inside}.nothing"])


def test_features_by_stride(name: str) -> None:
    model = built(name)
    x = images(model, (40, 60))
    strides = list(model.architecture.strides)[-2:]
    with torch.no_grad():
        found = model.features(x, strides)
    assert list(found) == strides
    assert found[strides[0]].shape[2] > found[strides[1]].shape[2]


def test_ends_at_any_tap(name: str) -> None:
    taps = declare(name).taps
    for until in {taps[0], taps[len(taps) // 2], taps[-1]}:
        model = create_model(name, num_classes=CLASSES, until=until, width=0.05).eval()
        with torch.no_grad():
            assert model(images(model)).shape == (2, CLASSES)
        assert list(model.architecture.taps) == list(taps[: taps.index(until) + 1])
        model.reset_classifier(2)
        assert model(images(model)).shape == (2, 2)


def test_reset_classifier(name: str) -> None:
    model = copy.deepcopy(built(name))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.reset_classifier(9)
    assert model.architecture.options.num_classes == 9
    with torch.no_grad():
        assert all(logits.shape == (2, 9) for logits in model.heads(images(model)).values())
    for key, value in model.state_dict().items():
        assert ".logits." in key or torch.equal(value, before[key])


@pytest.mark.parametrize("channels", [1, 3, 4, 6])
def test_input_channels(name: str, channels: int) -> None:
    model = create_model(name, num_classes=CLASSES, in_channels=channels, **SMALL).eval()
    with torch.no_grad():
        assert model(images(model)).shape == (2, CLASSES)
        with pytest.raises(UsageError, match=f"takes \\[batch, {channels}, height, width\\]"):
            model(torch.zeros(1, channels + 1, 99, 99))


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_adapted_input_gives_the_same_answer(name: str, channels: int) -> None:
    model = built(name)
    adapted = create_model(name, num_classes=CLASSES, in_channels=channels, **SMALL).eval()
    adapted.load_state_dict(adapt_input(model.state_dict(), model.architecture, channels))
    colour = images(model)
    if channels < 3:
        colour = colour[:, [i % channels for i in range(3)]]
    with torch.no_grad():
        shown = colour[:, [i % 3 for i in range(channels)]]
        torch.testing.assert_close(adapted(shown), model(colour), rtol=1e-4, atol=1e-5)


def test_state_dict_round_trip_and_deepcopy(name: str) -> None:
    model = built(name)
    again = create_model(name, num_classes=CLASSES, seed=4, **SMALL).eval()
    x = images(model)
    with torch.no_grad():
        expected = model(x)
        again.load_state_dict(model.state_dict())
        assert torch.equal(again(x), expected)
        assert torch.equal(copy.deepcopy(model)(x), expected)


def test_weight_file_round_trip(name: str, tmp_path: Path) -> None:
    model = built(name)
    declared = model.architecture
    card = Card(
        architecture=declared.name,
        variant=declared.variant,
        options=declared.options,
        classes=tuple("abcde"),
        preprocess=Preprocess.standard(declared.input_size[0]),
    )
    save_weights(tmp_path / "weights.safetensors", model, card)
    again, read = load_model(tmp_path / "weights.safetensors")
    assert read == card
    assert again.architecture == declared
    with torch.no_grad():
        assert all(torch.equal(again.heads(images(model))[head], logits) for head, logits in model.heads(images(model)).items())


def test_meta_has_the_same_tensors(name: str) -> None:
    meta = create_model(name, num_classes=CLASSES, device="meta", **SMALL)
    described = {key: (value.shape, value.dtype) for key, value in meta.state_dict().items()}
    assert described == {key: (value.shape, value.dtype) for key, value in built(name).state_dict().items()}
    assert all(value.is_meta for value in meta.state_dict().values())


def test_seed(name: str) -> None:
    other = create_model(name, num_classes=CLASSES, seed=3, **SMALL).state_dict()
    assert all(torch.equal(value, other[key]) for key, value in built(name).state_dict().items())
    assert all(value.isfinite().all() for value in other.values())


def test_channels_last_and_bfloat16(name: str) -> None:
    model = copy.deepcopy(built(name)).to(memory_format=torch.channels_last)
    x = images(model)
    with torch.no_grad():
        expected = built(name)(x)
        found = model(x.to(memory_format=torch.channels_last))
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = model(x)
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - expected).abs().max() <= 0.1 * expected.abs().max() + 0.05


def test_export(name: str) -> None:
    model = built(name)
    x = images(model)
    exported = torch.export.export(model, (x,))
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(x), model(x))
