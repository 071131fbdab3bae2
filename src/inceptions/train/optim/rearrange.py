"""The same network with less to do and less to keep while it trains: equal, up to the order in which numbers are rounded.

* An average over a moving window and the 1×1 convolution behind it commute, so the convolution comes first: there are a fourth
  to a tenth as many channels to average, forwards and backwards, and one map less to keep. Batch norm still comes behind both
  and sees what it saw.
* Branches are rectified when they are joined. What autograd keeps of a ReLU is its output: now that is the joined map, which
  the next layer keeps anyway, and no longer each branch's as well.
* The gradient of an average of stride 1 is an average of the gradient, and needs no map to be kept.
* 1×1 convolutions of a module that read the same map are one: its gradient is computed once, and not one a branch to be added
  up. Where each has few filters on large maps that takes a quarter less time, elsewhere none.

Evaluation, and layers in evaluation mode, compute as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import avg_pool2d, conv2d

from inceptions.network import Network
from inceptions.network.layers import Branches, ConvUnit, Pooling, Sequence

Forward = Callable[[Tensor], Tensor]


def rearrange(network: Network) -> None:
    """Let a network compute like this in training mode. Its parameters, its buffers and their names stay what they are."""
    late: set[nn.Module] = set()
    for layer in network.modules():  # outer ones before those inside them
        forward = layer.forward
        match layer:
            case Branches() if (ends := _ends(layer)) and late.isdisjoint(ends):
                late.update(ends)
                for unit in ends:
                    unit.forward = partial(_unrectified, unit, layer, unit.forward)  # type: ignore[method-assign]
                layer.forward = partial(_joined, layer, forward)  # type: ignore[method-assign]
            case Sequence() if (pair := _average_and_projection(layer)) is not None:
                pool, unit = pair
                unit.before_relu = partial(_averaged, unit, layer, pool, unit.before_relu)  # type: ignore[method-assign]
                layer.forward = partial(_unpooled, layer, forward)  # type: ignore[method-assign]
            case Pooling() if _keeps_size(layer):
                layer.forward = partial(_average, layer, forward)  # type: ignore[method-assign]
    grouped: set[nn.Module] = set()
    for layer in network.modules():
        if isinstance(layer, Branches) and len(first := _first(layer)) > 1 and grouped.isdisjoint(first):
            grouped.update(first)
            layer.forward = _Together(first, layer.forward)  # type: ignore[method-assign]


def _ends(layer: nn.Module | None) -> list[ConvUnit]:
    """The convolutions that a layer's output comes from, if a ReLU is the last thing in all of them."""
    match layer:
        case ConvUnit() if layer.node.relu:
            return [layer]
        case Sequence():
            return _ends(list(layer.children())[-1])
        case Branches():
            ends = [_ends(branch) for branch in layer.children()]
            return [unit for units in ends for unit in units] if all(ends) else []
    return []


def _first(layer: nn.Module) -> list[ConvUnit]:
    """The 1×1 convolutions that read a module's input, or that will once an average comes behind them."""
    match layer:
        case ConvUnit() if (layer.node.window, layer.node.stride, layer.node.has_bias) == ((1, 1), 1, False):
            return [layer]
        case Sequence() if (pair := _average_and_projection(layer)) is not None:
            return [pair[1]]
        case Sequence():
            return _first(next(layer.children()))
        case Branches():
            return [unit for branch in layer.children() for unit in _first(branch)]
    return []


def _average_and_projection(chain: Sequence) -> tuple[Pooling, ConvUnit] | None:
    match list(chain.children())[:2]:
        case [Pooling() as pool, ConvUnit() as unit] if (
            (pool.node.kind, pool.node.stride) == ("average", 1)
            and (unit.node.window, unit.node.stride) == ((1, 1), 1)
            and not unit.node.has_bias  # of which less would arrive at a border that counts
        ):
            return pool, unit
    return None


def _keeps_size(pool: Pooling) -> bool:
    node = pool.node
    return (node.kind, node.stride, 2 * pool.padding) == ("average", 1, node.kernel - 1) and node.padding != "tensorflow"


def _unrectified(unit: ConvUnit, branches: Branches, plain: Forward, x: Tensor) -> Tensor:
    return unit.before_relu(x) if branches.training else plain(x)


def _joined(branches: Branches, plain: Forward, x: Tensor) -> Tensor:
    if not branches.training:
        return plain(x)
    joined: Tensor = _Join.apply(*(branch(x) for branch in branches.children()))
    return joined


def _unpooled(chain: Sequence, plain: Forward, x: Tensor) -> Tensor:
    if not chain.training:
        return plain(x)
    for layer in list(chain.children())[1:]:
        x = layer(x)
    return x


def _averaged(unit: ConvUnit, chain: Sequence, pool: Pooling, plain: Forward, x: Tensor) -> Tensor:
    if not chain.training:
        return plain(x)
    x = pool(unit.conv(x))
    return x if unit.bn is None else unit.bn(x)


def _average(pool: Pooling, plain: Forward, x: Tensor) -> Tensor:
    if not pool.training:
        return plain(x)
    averaged: Tensor = _Average.apply(x, pool.node.kernel, pool.padding, pool.node.count_padding)
    return averaged


class _Together:
    """A module whose first convolutions, those of one map, are computed as one before its branches ask for them."""

    def __init__(self, units: list[ConvUnit], forward: Forward) -> None:
        self._units = units
        self._forward = forward
        self._parts: dict[ConvUnit, Tensor] = {}
        for unit in units:
            unit.conv.forward = partial(self._of, unit, unit.conv.forward)  # type: ignore[method-assign]

    def __call__(self, x: Tensor) -> Tensor:
        """What the module makes of a map. Nothing of it is held behind the call, however that ends."""
        units = [unit for unit in self._units if unit.training]
        try:
            if len(units) > 1:
                weight = torch.cat([unit.conv.weight for unit in units])
                parts = _Split.apply(conv2d(x, weight), [unit.node.filters for unit in units])
                self._parts = dict(zip(units, parts, strict=True))
                del parts  # a branch lets go of its own as soon as it can
            return self._forward(x)
        finally:
            self._parts = {}

    def _of(self, unit: ConvUnit, plain: Forward, x: Tensor) -> Tensor:
        return self._parts.pop(unit) if unit in self._parts else plain(x)


class _Split(torch.autograd.Function):
    """A map's channels in parts that lie by themselves, as batch norm wants them."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor, channels: list[int]) -> tuple[Tensor, ...]:
        laid = torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
        return tuple(part.contiguous(memory_format=laid) for part in torch.split(x, channels, 1))

    @staticmethod
    @once_differentiable
    def backward(_ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return torch.cat(gradients, 1), None


class _Join(torch.autograd.Function):
    """Maps side by side, then ReLU."""

    @staticmethod
    def forward(ctx: Any, *maps: Tensor) -> Tensor:
        joined = torch.cat(maps, dim=1).relu_()
        ctx.save_for_backward(joined)
        ctx.channels = [one.shape[1] for one in maps]
        return joined

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        (joined,) = ctx.saved_tensors
        parts = zip(torch.split(gradient, ctx.channels, 1), torch.split(joined, ctx.channels, 1), strict=True)
        # The kernel of ReLU's own gradient; what it makes of a part is dense, as batch norm wants it.
        return tuple(torch.ops.aten.threshold_backward(part, seen, 0) for part, seen in parts)


class _Average(torch.autograd.Function):
    """Mean over a window of odd side at every place of a map."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: int, padding: int, count_padding: bool) -> Tensor:
        ctx.window = kernel, padding, count_padding
        return avg_pool2d(x, kernel, 1, padding, count_include_pad=count_padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        kernel, padding, count_padding = ctx.window
        if not count_padding:
            # At the border fewer pixels were divided by.
            whole = torch.ones(1, 1, *gradient.shape[2:], device=gradient.device)
            gradient = gradient * avg_pool2d(whole, kernel, 1, padding).reciprocal_().to(gradient.dtype)
        return avg_pool2d(gradient, kernel, 1, padding), None, None, None
