"""Declaration to layer: one class a node type, each doing exactly what its node says."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from inceptions.architecture import nodes
from inceptions.architecture.shapes import Shape, after, pads


class ConvUnit(nn.Module):
    """Convolution, batch norm (if declared), ReLU (if declared).

    Shapes: `[batch, in_channels, height, width]` to `[batch, filters, height', width']`.
    """

    def __init__(self, node: nodes.Conv, in_channels: int) -> None:
        super().__init__()
        self.node = node
        self.conv = nn.Conv2d(in_channels, node.filters, node.window, node.stride, _padding(node), bias=node.has_bias)
        self.bn = _batch_norm(node.norm, node.filters, nn.BatchNorm2d)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, normalise, rectify."""
        x = self.before_relu(x)
        return functional.relu(x, inplace=True) if self.node.relu else x

    def before_relu(self, x: Tensor) -> Tensor:
        """Convolve, normalise."""
        if self.node.padding == "tensorflow":
            x = functional.pad(x, _tensorflow_pads(x, self.node.window, self.node.stride))
        x = self.conv(x)
        return x if self.bn is None else self.bn(x)


class SeparableConvUnit(nn.Module):
    """Depthwise convolution, 1x1 convolution, batch norm (if declared), ReLU (if declared).

    Shapes: `[batch, in_channels, height, width]` to `[batch, filters, height', width']`.
    """

    def __init__(self, node: nodes.SeparableConv, in_channels: int) -> None:
        super().__init__()
        self.node = node
        each = in_channels * node.multiplier
        padding = _padding(node)
        self.depthwise = nn.Conv2d(in_channels, each, node.window, node.stride, padding, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(each, node.filters, 1, bias=node.has_bias)
        self.bn = _batch_norm(node.norm, node.filters, nn.BatchNorm2d)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve twice, normalise, rectify."""
        if self.node.padding == "tensorflow":
            x = functional.pad(x, _tensorflow_pads(x, self.node.window, self.node.stride))
        x = self.pointwise(self.depthwise(x))
        if self.bn is not None:
            x = self.bn(x)
        return functional.relu(x, inplace=True) if self.node.relu else x


class DenseUnit(nn.Module):
    """Fully connected layer, batch norm (if declared), ReLU (if declared). Shapes: `[batch, in]` to `[batch, units]`."""

    def __init__(self, node: nodes.Dense, in_features: int) -> None:
        super().__init__()
        self.node = node
        self.linear = nn.Linear(in_features, node.units, bias=node.bias)
        self.bn = _batch_norm(node.norm, node.units, nn.BatchNorm1d)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply, normalise, rectify."""
        x = self.linear(x)
        if self.bn is not None:
            x = self.bn(x)
        return functional.relu(x, inplace=True) if self.node.relu else x


class Pooling(nn.Module):
    """Maximum or average over a moving window."""

    def __init__(self, node: nodes.Pool) -> None:
        super().__init__()
        self.node = node
        self.padding = 0 if node.padding == "tensorflow" else pads(0, node.kernel, 1, node.padding)[0]

    def forward(self, x: Tensor) -> Tensor:
        """Pool `[batch, channels, height, width]`."""
        node = self.node
        if node.padding == "tensorflow":
            return self._tensorflow(x)
        if node.kind == "max":
            return functional.max_pool2d(x, node.kernel, node.stride, self.padding, ceil_mode=node.ceil)
        return functional.avg_pool2d(
            x, node.kernel, node.stride, self.padding, ceil_mode=node.ceil, count_include_pad=node.count_padding
        )

    def _tensorflow(self, x: Tensor) -> Tensor:
        """TensorFlow's SAME: padding that no maximum and no average sees."""
        node = self.node
        border = _tensorflow_pads(x, (node.kernel, node.kernel), node.stride)
        if node.kind == "max":
            if 1 < node.stride <= node.kernel:
                # The same windows without a copy: the smaller side's padding on both, and rounding up for the odd pixel.
                return functional.max_pool2d(x, node.kernel, node.stride, (border[2], border[0]), ceil_mode=True)
            return functional.max_pool2d(functional.pad(x, border, value=-torch.inf), node.kernel, node.stride)
        summed = functional.avg_pool2d(functional.pad(x, border), node.kernel, node.stride, divisor_override=1)
        ones = functional.pad(torch.ones_like(x[:1, :1]), border)
        return summed / functional.avg_pool2d(ones, node.kernel, node.stride, divisor_override=1)


class GridPooling(nn.Module):
    """Average pooling to a fixed grid: the declared window where it fits exactly, an even division elsewhere."""

    def __init__(self, node: nodes.GridPool) -> None:
        super().__init__()
        self.node = node

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, channels, height, width]` to `[batch, channels, grid, grid]`."""
        grid, kernel, stride = self.node.grid, self.node.kernel, self.node.stride
        if kernel is not None and all((size - kernel) // stride + 1 == grid and size >= kernel for size in x.shape[2:]):
            return functional.avg_pool2d(x, kernel, stride)
        return functional.adaptive_avg_pool2d(x, grid)


class GlobalPooling(nn.Module):
    """`[batch, channels, height, width]` to `[batch, channels]`, each channel's mean."""

    def forward(self, x: Tensor) -> Tensor:
        """Average the map."""
        return functional.adaptive_avg_pool2d(x, 1).flatten(1)


class LengthOne(nn.Module):
    """`[batch, channels]` to the same, each row divided by its Euclidean length."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise every row."""
        return functional.normalize(x, dim=1)


class Sequence(nn.Module):
    """Layers one after the other, under their nodes' names."""

    def __init__(self, layers: Iterable[tuple[str, nn.Module]]) -> None:
        super().__init__()
        for name, layer in layers:
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Apply every layer."""
        for layer in self.children():
            x = layer(x)
        return x


class Branches(nn.Module):
    """Branches on the same input, joined along the channels."""

    def __init__(self, branches: Iterable[tuple[str, nn.Module]]) -> None:
        super().__init__()
        for name, branch in branches:
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        """Run every branch and join them in the declared order."""
        return torch.cat([branch(x) for branch in self.children()], dim=1)


class ResidualSum(nn.Module):
    """relu(x + scale * body(x)), or without the ReLU."""

    def __init__(self, node: nodes.Residual, layers: Iterable[tuple[str, nn.Module]]) -> None:
        super().__init__()
        self.node = node
        for name, layer in layers:
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Add the scaled body to its input."""
        out = x
        for layer in self.children():
            out = layer(out)
        out = torch.add(x, out, alpha=self.node.scale)
        return functional.relu(out, inplace=True) if self.node.relu else out


def build(node: nodes.Node, shape: Shape) -> nn.Module:
    """The layer a node declares, for an input of `shape` (which gives the input channels)."""
    match node:
        case nodes.Conv():
            return ConvUnit(node, shape.channels)
        case nodes.SeparableConv():
            return SeparableConvUnit(node, shape.channels)
        case nodes.Dense():
            return DenseUnit(node, shape.channels)
        case nodes.Pool():
            return Pooling(node)
        case nodes.GridPool():
            return GridPooling(node)
        case nodes.GlobalPool():
            return GlobalPooling()
        case nodes.LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k):
            return nn.LocalResponseNorm(size, alpha, beta, k)
        case nodes.Dropout(p=p):
            return nn.Dropout(p)
        case nodes.Flatten():
            return nn.Flatten()
        case nodes.L2Normalise():
            return LengthOne()
        case nodes.Chain(nodes=inner):
            return Sequence(build_each(inner, shape))
        case nodes.Concat(branches=branches):
            return Branches((branch.name, build(branch, shape)) for branch in branches)
        case nodes.Residual(body=body):
            return ResidualSum(node, build_each(body.nodes, shape))


def build_each(inner: Iterable[nodes.Node], shape: Shape) -> Iterable[tuple[str, nn.Module]]:
    """Name and layer of each node of a chain, the shape following the data."""
    for node in inner:
        yield node.name, build(node, shape)
        shape = after(node, shape)


def _batch_norm(
    norm: nodes.BatchNorm | None, channels: int, kind: type[nn.BatchNorm1d] | type[nn.BatchNorm2d]
) -> nn.BatchNorm1d | nn.BatchNorm2d | None:
    return None if norm is None else kind(channels, eps=norm.eps, momentum=norm.momentum)


def _padding(node: nodes.Conv | nodes.SeparableConv) -> tuple[int, int]:
    """(height, width) of the convolution's own padding; TensorFlow's depends on the input's size and is added before."""
    height, width = (0 if node.padding == "tensorflow" else pads(0, k, 1, node.padding)[0] for k in node.window)
    return height, width


def _tensorflow_pads(x: Tensor, window: tuple[int, int], stride: int) -> list[int]:
    """Padding in `functional.pad`'s order: left, right, top, bottom."""
    top, bottom = pads(x.shape[2], window[0], stride, "tensorflow")
    left, right = pads(x.shape[3], window[1], stride, "tensorflow")
    return [left, right, top, bottom]
