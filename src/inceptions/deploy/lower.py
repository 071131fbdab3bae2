"""A network as the graph of one of its passes, op by op as its layers compute it; nothing is rewritten yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from inceptions.architecture import nodes
from inceptions.architecture.shapes import Shape, after, pads
from inceptions.deploy.graph import (
    NO_PADS,
    Add,
    Affine,
    Array,
    Concat,
    Conv,
    Dense,
    Flatten,
    GlobalPool,
    Graph,
    GridPool,
    LengthOne,
    LocalResponseNorm,
    Op,
    Pads,
    Pixels,
    Pool,
    Relu,
)
from inceptions.errors import UsageError, unknown
from inceptions.network import Network
from inceptions.network.layers import ConvUnit, DenseUnit, SeparableConvUnit
from inceptions.weights import Preprocess

IMAGES = "images"
"""What enters a lowered graph."""


def lower(
    network: Network,
    *,
    size: tuple[int, int] | None = None,
    heads: Sequence[str] = ("main",),
    preprocess: Preprocess | None = None,
) -> Graph:
    """The graph of a network as it is in evaluation.

    Every value has the dotted name of the layer that makes it, as in the state dict: "inception_3a.branch_2.3x3". Weights that
    are float32 on the CPU are shared with the network, not copied.

    Args:
        network: its mode does not matter.
        size: (height, width) of the images; what `preprocess` says if None, and else what the architecture was published for.
        heads: whose logits to compute; the trunk ends where the last of them hangs.
        preprocess: begin with uint8 pixels `[batch, height, width, channels]` and compute the network's input from them. They
            are RGB, or luminance where that is what the network sees.

    Returns:
        A graph whose outputs are `heads`, in depth order.

    Raises:
        UsageError: an unknown head, a size below the network's smallest, or a preprocessing for other channels.
    """
    architecture = network.architecture
    known = [head.name for head in architecture.heads]
    for head in heads:
        if head not in known:
            raise unknown(f"head of {architecture.full_name}", head, known)
    channels = architecture.options.in_channels
    if preprocess is not None and preprocess.num_channels != channels:
        raise UsageError(
            f"{architecture.full_name} takes {channels} channels here, its preprocessing makes {preprocess.num_channels}."
        )
    height, width = size or (architecture.input_size if preprocess is None else preprocess.size)
    least = architecture.minimum_size
    if min(height, width) < least:
        raise UsageError(f"{architecture.full_name} needs images of at least {least}×{least} pixels, not {height}×{width}.")
    writer = _Writer(network)
    shape = Shape(channels, height, width)
    value = IMAGES if preprocess is None else writer.write(_pixels(preprocess))
    waiting = {head.at or architecture.way[-1]: head for head in architecture.heads if head.name in heads}
    outputs: dict[str, str] = {}
    for node in architecture.trunk.nodes:
        value, shape = writer.node(node, node.name, value, shape), after(node, shape)
        if hung := waiting.pop(node.name, None):
            outputs[hung.name] = writer.node(hung.body, hung.name, value, shape)
        if not waiting:
            break
    assert set(outputs) == set(heads)
    return Graph(input=IMAGES, shape=(channels, height, width), ops=tuple(writer.ops), outputs=outputs)


def _pixels(preprocess: Preprocess) -> Pixels:
    """(pixel / 255 - mean) / std, as a factor and a sum."""
    mean, std = np.array(preprocess.mean), np.array(preprocess.std)
    order = {"RGB": (0, 1, 2), "BGR": (2, 1, 0), "L": (0,)}[preprocess.channels]
    return Pixels(
        name="pixels",
        input=IMAGES,
        scale=(1 / (255 * std)).astype(np.float32),
        shift=(-mean / std).astype(np.float32),
        order=order,
    )


@dataclass
class _Writer:
    """The ops as they are collected, each behind those whose values it reads."""

    network: Network
    ops: list[Op] = field(default_factory=list)

    def write(self, op: Op) -> str:
        """Add an op; the name of its value."""
        self.ops.append(op)
        return op.name

    def node(self, node: nodes.Node, path: str, value: str, shape: Shape) -> str:
        """Add what a node computes from `value`, which has `shape`; the name of the result."""
        match node:
            case nodes.Chain(nodes=inner):
                for child in inner:
                    value, shape = self.node(child, f"{path}.{child.name}", value, shape), after(child, shape)
                return value
            case nodes.Concat(branches=branches):
                parts = tuple(self.node(branch, f"{path}.{branch.name}", value, shape) for branch in branches)
                return self.write(Concat(name=path, inputs=parts))
            case nodes.Residual(body=body):
                residual, inside = value, shape
                for child in body.nodes:
                    residual, inside = self.node(child, f"{path}.{child.name}", residual, inside), after(child, inside)
                added = Add(name=_before(path, "sum", node.relu), input=value, residual=residual, scale=node.scale)
                return self._relu(self.write(added), path, node.relu)
            case nodes.Conv() | nodes.SeparableConv():
                return self._convolution(node, path, value, shape)
            case nodes.Dense():
                layer = self.network.get_submodule(path)
                assert isinstance(layer, DenseUnit)
                last = layer.bn is None and not node.relu
                weight, bias = _array(layer.linear.weight), _optional(layer.linear.bias)
                value = self.write(Dense(name=path if last else f"{path}.linear", input=value, weight=weight, bias=bias))
                return self._relu(self._norm(layer.bn, path, value, node.relu), path, node.relu)
            case nodes.Pool():
                return self.write(_pool(node, path, value, shape))
            case nodes.GridPool(grid=grid, kernel=kernel, stride=stride):
                sides = (shape.height, shape.width)
                if kernel is not None and all(side >= kernel and (side - kernel) // stride + 1 == grid for side in sides):
                    return self.write(Pool(name=path, input=value, kind="average", kernel=kernel, stride=stride))
                return self.write(GridPool(name=path, input=value, grid=grid))
            case nodes.GlobalPool():
                return self.write(GlobalPool(name=path, input=value))
            case nodes.LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k):
                return self.write(LocalResponseNorm(name=path, input=value, size=size, alpha=alpha, beta=beta, k=k))
            case nodes.Dropout():
                return value
            case nodes.Flatten():
                return self.write(Flatten(name=path, input=value))
            case nodes.L2Normalise():
                return self.write(LengthOne(name=path, input=value))

    def _convolution(self, node: nodes.Conv | nodes.SeparableConv, path: str, value: str, shape: Shape) -> str:
        layer = self.network.get_submodule(path)
        assert isinstance(layer, ConvUnit | SeparableConvUnit)
        around = _pads(node.padding, node.window, node.stride, shape)
        last = layer.bn is None and not node.relu
        if isinstance(layer, SeparableConvUnit):
            weight = _array(layer.depthwise.weight)
            value = self.write(
                Conv(
                    name=f"{path}.depthwise",
                    input=value,
                    weight=weight,
                    stride=(node.stride, node.stride),
                    pads=around,
                    groups=shape.channels,
                )
            )
            weight, bias = _array(layer.pointwise.weight), _optional(layer.pointwise.bias)
            value = self.write(Conv(name=path if last else f"{path}.pointwise", input=value, weight=weight, bias=bias))
        else:
            weight, bias = _array(layer.conv.weight), _optional(layer.conv.bias)
            name = path if last else f"{path}.conv"
            stride = (node.stride, node.stride)
            value = self.write(Conv(name=name, input=value, weight=weight, bias=bias, stride=stride, pads=around))
        return self._relu(self._norm(layer.bn, path, value, node.relu), path, node.relu)

    def _norm(self, layer: nn.BatchNorm1d | nn.BatchNorm2d | None, path: str, value: str, relu: bool) -> str:
        if layer is None:
            return value
        assert layer.running_mean is not None
        assert layer.running_var is not None
        # In float64, because these few numbers are rounded once here and multiply everything.
        scale = layer.weight.detach().double().cpu() / (layer.running_var.double().cpu() + layer.eps).sqrt()
        shift = layer.bias.detach().double().cpu() - layer.running_mean.double().cpu() * scale
        return self.write(Affine(name=_before(path, "bn", relu), input=value, scale=_array(scale), shift=_array(shift)))

    def _relu(self, value: str, path: str, relu: bool) -> str:
        return self.write(Relu(name=path, input=value)) if relu else value


def _before(path: str, step: str, more: bool) -> str:
    """The name of a layer's step: the layer's own if no `more` comes after it."""
    return f"{path}.{step}" if more else path


def _pads(padding: nodes.Padding, window: tuple[int, int], stride: int, shape: Shape) -> Pads:
    top, bottom = pads(shape.height, window[0], stride, padding)
    left, right = pads(shape.width, window[1], stride, padding)
    return top, left, bottom, right


def _pool(node: nodes.Pool, path: str, value: str, shape: Shape) -> Pool:
    """A pool whose padding ends where its last window does."""
    top, left, bottom, right = _pads(node.padding, (node.kernel, node.kernel), node.stride, shape)
    out = after(node, shape)
    below, beside = (
        max((steps - 1) * node.stride + node.kernel - size - before, 0)
        for steps, size, before in ((out.height, shape.height, top), (out.width, shape.width, left))
    )
    # What rounding up adds is never counted; TensorFlow counts no padding at all.
    counts = node.count_padding and node.padding != "tensorflow"
    return Pool(
        name=path,
        input=value,
        kind=node.kind,
        kernel=node.kernel,
        stride=node.stride,
        pads=(top, left, below, beside),
        counted=(top, left, min(bottom, below), min(right, beside)) if counts and node.kind == "average" else NO_PADS,
    )


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().to(device="cpu", dtype=torch.float32).contiguous().numpy()
    return array


def _optional(tensor: Tensor | None) -> Array | None:
    return None if tensor is None else _array(tensor)
