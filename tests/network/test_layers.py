"""Layers whose arithmetic differs from PyTorch's own, and padding that only strides may change sizes under."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from inceptions.architecture.nodes import Chain, Conv, L2Normalise, Pool, Residual, SeparableConv
from inceptions.architecture.shapes import Shape, after, pads
from inceptions.network import create_model
from inceptions.network.layers import SeparableConvUnit, build


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 3),
    kind=st.sampled_from(["max", "average"]),
)
@settings(max_examples=60, deadline=None)
def test_tensorflow_pooling(height: int, width: int, kernel: int, stride: int, kind: str) -> None:
    x = noise(1, 2, height, width)
    node = Pool("pool", kind, kernel, stride, "tensorflow")  # type: ignore[arg-type]
    found = build(node, Shape(2))(x)
    (top, bottom), (left, right) = pads(height, kernel, stride, "tensorflow"), pads(width, kernel, stride, "tensorflow")
    # The definition: windows over the padded map that leave the padding out.
    empty = functional.pad(x, [left, right, top, bottom], value=float("nan"))
    windows = empty.unfold(2, kernel, stride).unfold(3, kernel, stride).flatten(4)
    expected = windows.nan_to_num(-torch.inf).amax(4) if kind == "max" else windows.nanmean(4)
    assert found.shape == (1, 2, -(-height // stride), -(-width // stride))
    torch.testing.assert_close(found, expected)


def test_tensorflow_padding_is_a_pixel_off_the_even_one() -> None:
    """On even maps, as TF-slim's first layer has them: the window that starts at -2 there starts at -3 here."""
    x = noise(1, 3, 14, 14)
    even, uneven = (build(Conv("conv", 4, 7, 2, padding=padding, relu=False), Shape(3)) for padding in ("same", "tensorflow"))
    even.load_state_dict(uneven.state_dict())
    assert even(x).shape == uneven(x).shape
    assert not torch.allclose(even(x), uneven(x))
    torch.testing.assert_close(even(functional.pad(x, [0, 1, 0, 1])[..., 1:, 1:])[..., 2:-2, 2:-2], uneven(x)[..., 2:-2, 2:-2])


@given(size=st.integers(3, 60).map(lambda half: 2 * half))
@settings(max_examples=20, deadline=None)
def test_pass_through_pooling_is_caffes_on_even_maps(size: int) -> None:
    x = noise(1, 3, size, size)
    ours = build(Pool("pool", "max", 3, 2, "tensorflow"), Shape(3))
    caffe = build(Pool("pool", "max", 3, 2, "valid", ceil=True), Shape(3))
    assert torch.equal(ours(x), caffe(x))


@given(size=st.integers(2, 60), stride=st.integers(1, 3), kernel=st.sampled_from([1, 3, 5, 7]))
@settings(max_examples=30, deadline=None)
def test_tensorflow_convolution_keeps_its_declared_size(size: int, stride: int, kernel: int) -> None:
    node = Conv("conv", 2, kernel, stride, padding="tensorflow")
    shape = after(node, Shape(3, size, size + 1))
    assert build(node, Shape(3))(noise(1, 3, size, size + 1)).shape[1:] == (shape.channels, shape.height, shape.width)


def test_separable_convolution_is_a_dense_one_of_low_rank() -> None:
    unit = build(SeparableConv("conv", 5, 7, 8, stride=2, padding="same", relu=False), Shape(3))
    assert isinstance(unit, SeparableConvUnit)
    x = noise(2, 3, 20, 23)
    each = unit.depthwise.weight.reshape(3, 8, 7, 7)
    dense = torch.einsum("fim,imhw->fihw", unit.pointwise.weight.reshape(5, 3, 8), each)
    expected = functional.conv2d(x, dense, unit.pointwise.bias, stride=2, padding=3)
    torch.testing.assert_close(unit(x), expected, rtol=1e-4, atol=1e-5)


def test_length_one() -> None:
    x = noise(4, 7)
    torch.testing.assert_close(build(L2Normalise("embedding"), Shape(7))(x), x / x.square().sum(1, keepdim=True).sqrt())


@pytest.mark.parametrize(("scale", "relu"), [(0.17, True), (1.0, False), (0.0, True)])
def test_residual_sum(scale: float, relu: bool) -> None:
    layer = build(Residual("block", Chain("body", (Conv("up", 4, 1, relu=False),)), scale=scale, relu=relu), Shape(4))
    x = noise(2, 4, 5, 5)
    kept = x.clone()
    expected = x + scale * layer.get_submodule("up")(x)
    torch.testing.assert_close(layer(x), expected.relu() if relu else expected)
    assert torch.equal(x, kept)


def test_facenet_embedding_has_length_one_and_the_classifier_reads_before_it() -> None:
    model = create_model("inception_resnet_v1", num_classes=3, width=0.05, depth=0.1, seed=1).eval()
    with torch.no_grad():
        found = model.features(noise(2, 3, 80, 80), ["bottleneck", "embedding"])
        torch.testing.assert_close(found["embedding"].norm(dim=1), torch.ones(2))
        torch.testing.assert_close(model(noise(2, 3, 80, 80)), model.get_submodule("main")(found["bottleneck"]))


def test_residual_scale_0_switches_the_blocks_off() -> None:
    model = create_model("inception_resnet_v2", residual_scale=0, num_classes=3, width=0.05, depth=0.2, seed=1).eval()
    x = noise(1, 3, 80, 80)
    with torch.no_grad():
        found = model.features(x, ["mixed_6a", "block17_1", "block17_4"])
    assert torch.equal(found["mixed_6a"], found["block17_4"])


@pytest.mark.parametrize("name", ["googlenet", "bn_inception", "inception_v3", "inception_v4", "inception_resnet_v2"])
@pytest.mark.parametrize("size", [(1, 1), (33, 70), (64, 64)])
def test_same_padding_aligns_maps(name: str, size: tuple[int, int]) -> None:
    model = create_model(name, padding="same", num_classes=3, width=0.05, depth=0.1).eval()
    with torch.no_grad():
        found = model.features(noise(1, 3, *size), list(model.architecture.strides))
        assert model(noise(1, 3, *size)).shape == (1, 3)
    for stride, out in found.items():
        assert out.shape[2:] == (-(-size[0] // int(stride)), -(-size[1] // int(stride)))
