"""A graph as a torch module, op by op: the answer all else is compared with, and what torch compiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from inceptions.deploy.graph import (
    Add,
    Affine,
    Array,
    Channels,
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
    Pixels,
    Pool,
    Relu,
    SpaceToDepth,
    inputs,
)
from inceptions.deploy.shapes import Shape, shapes


def module(graph: Graph, *, dtype: torch.dtype = torch.float32, vectors: torch.dtype | None = None) -> fx.GraphModule:
    """A module that computes the graph.

    Its code is a list of torch's own functions, each value freed behind its last reader. It takes what the graph takes, as a
    tensor, and returns a tuple of float32 logits, one a head.

    Args:
        graph: what to compute.
        dtype: of the weights and of all values between the input and the logits.
        vectors: of those without height and width, and of what multiplies them, if another.
    """
    writer = _Writer(shapes(graph), dtype, vectors or dtype)
    writer.values[graph.input] = writer.graph.placeholder("images")
    if not graph.pixels:
        # Convolutions want the channels of a pixel side by side.
        laid: dict[str, Any] = {"memory_format": torch.channels_last}
        entry = writer.graph.call_method("contiguous", (writer.values[graph.input],), laid)
        writer.values[graph.input] = entry if dtype == torch.float32 else writer.graph.call_method("to", (entry, dtype))
    for op in graph.ops:
        writer.values[op.name] = writer.write(op)
    exits = [writer.values[value] for value in graph.outputs.values()]
    if dtype != torch.float32:
        exits = [writer.graph.call_method("float", (one,)) for one in exits]
    writer.graph.output(tuple(exits))
    made = fx.GraphModule(writer.weights, writer.graph)
    return made.eval().requires_grad_(False)


def reference(graph: Graph, images: Tensor) -> dict[str, Tensor]:
    """Logits of every head in float32, with nothing done for speed.

    Args:
        graph: what to compute.
        images: `[batch, channels, height, width]`, or uint8 `[batch, height, width, channels]` where the graph starts from
            pixels.
    """
    with torch.inference_mode():
        return dict(zip(graph.outputs, module(graph)(images), strict=True))


class _Writer:
    """The fx graph as it grows, and the weights it reads."""

    def __init__(self, sizes: dict[str, Shape], dtype: torch.dtype, vectors: torch.dtype) -> None:
        self.sizes = sizes
        self.dtype = dtype
        self.vectors = vectors
        self.graph = fx.Graph()
        self.weights = nn.Module()
        self.values: dict[str, fx.Node] = {}

    def write(self, op: Op) -> fx.Node:
        """Add the calls of an op; the last of them."""
        it = [self.values[name] for name in inputs(op)]
        x = it[0]
        match op:
            case Pixels():
                weights = self._column(op.scale, torch.float32), self._column(op.shift, torch.float32)
                return self._call(pixels, x, *weights, op.order, self.dtype)
            case Conv():
                top, left, bottom, right = op.pads
                if (top, left) != (bottom, right):
                    x, top, left = self._call(functional.pad, x, (left, right, top, bottom)), 0, 0
                made = self._call(functional.conv2d, x, *self._weights(op), op.stride, (top, left), 1, op.groups)
            case Affine():
                rank = len(self.sizes[op.input])
                dtype = self.vectors if rank == 1 else self.dtype
                scale, shift = (self._column(values, dtype, rank=rank) for values in (op.scale, op.shift))
                return self._call(torch.addcmul, shift, x, scale)
            case Relu():
                return self._call(functional.relu, x)
            case Pool():
                return self._pool(op, x)
            case GridPool():
                return self._call(functional.adaptive_avg_pool2d, x, op.grid)
            case GlobalPool():
                wide: dict[str, Any] = {} if self.vectors == self.dtype else {"dtype": self.vectors}
                return self.graph.call_function(torch.mean, (x, (2, 3)), wide)
            case LocalResponseNorm():
                return self._local_response_norm(op, x)
            case Concat():
                return self._call(torch.cat, it, 1)
            case Channels():
                return self._call(torch.narrow, x, 1, op.start, op.stop - op.start)
            case Add():
                made = self.graph.call_function(torch.add, (x, it[1]), {"alpha": op.scale} if op.scale != 1 else {})
            case Flatten():
                flat = self._call(torch.flatten, x, 1)
                return flat if self.vectors == self.dtype else self.graph.call_method("to", (flat, self.vectors))
            case Dense():
                made = self._call(functional.linear, x, *self._weights(op))
            case LengthOne():
                return self._call(functional.normalize, x)
            case SpaceToDepth():
                return self._call(space_to_depth, x, op.rows)
        return self._call(functional.relu, made) if op.relu else made

    def _call(self, function: Callable[..., Any], *arguments: Any) -> fx.Node:
        return self.graph.call_function(function, arguments)

    def _local_response_norm(self, op: LocalResponseNorm, x: fx.Node) -> fx.Node:
        """The sum over neighbouring channels as a 1×1 convolution: torch's own copies the map and knows no bf16."""
        channels = self.sizes[op.input][0]
        apart = np.arange(channels)[None] - np.arange(channels)[:, None]
        near = (apart >= -(op.size // 2)) & (apart <= (op.size - 1) // 2)
        weight = self._weight((near * np.float32(op.alpha / op.size)).reshape(channels, channels, 1, 1))
        sums = self._call(functional.conv2d, self._call(torch.square, x), weight, self._weight(np.full(channels, op.k)))
        return self._call(torch.mul, x, self._call(torch.pow, sums, -op.beta))

    def _pool(self, op: Pool, x: fx.Node) -> fx.Node:
        top, left, bottom, right = op.pads
        if (own := window(op, self.sizes[op.input])) is not None:
            ceil, counting = own
            if op.kind == "average":
                return self._call(functional.avg_pool2d, x, op.kernel, op.stride, (top, left), ceil, counting)
            return self._call(functional.max_pool2d, x, op.kernel, op.stride, (top, left), 1, ceil)
        border = (left, right, top, bottom)
        if op.kind == "max":
            x = self._call(functional.pad, x, border, "constant", -math.inf)
            return self._call(functional.max_pool2d, x, op.kernel, op.stride)
        x = self._call(functional.avg_pool2d, self._call(functional.pad, x, border), op.kernel, op.stride)
        return self._call(torch.div, x, self._weight(counts(op, self.sizes[op.input])))

    def _weights(self, op: Conv | Dense) -> tuple[fx.Node, fx.Node | None]:
        dtype = self.vectors if isinstance(op, Dense) else self.dtype
        return self._weight(op.weight, dtype), None if op.bias is None else self._weight(op.bias, dtype)

    def _column(self, values: Array, dtype: torch.dtype | None = None, *, rank: int = 3) -> fx.Node:
        return self._weight(values.reshape(-1, *(1,) * (rank - 1)), dtype)

    def _weight(self, values: Array, dtype: torch.dtype | None = None) -> fx.Node:
        # Copied: a parameter that another network shares must not change under a compiled module.
        tensor = torch.tensor(values, dtype=dtype or self.dtype)
        if tensor.ndim == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        name = f"weight_{len(list(self.weights.parameters()))}"
        self.weights.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
        return self.graph.get_attr(name)


def pixels(x: Tensor, scale: Tensor, shift: Tensor, order: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """What `Pixels` says, for `[batch, height, width, channels]`; the result keeps the channels of a pixel side by side."""
    maps = x.permute(0, 3, 1, 2)
    if order != tuple(range(maps.shape[1])):
        maps = torch.cat([maps[:, i : i + 1] for i in order], 1)
    return torch.addcmul(shift, maps.float(), scale).to(dtype)


def space_to_depth(x: Tensor, rows: int) -> Tensor:
    """What `SpaceToDepth` says; the result keeps the channels of a pixel side by side."""
    batch, channels, height, width = x.shape
    down, across = -(-height // rows), -(-width // 2)
    if height % rows or width % 2:
        x = functional.pad(x, (0, width % 2, 0, height % rows))
    blocks = x.permute(0, 2, 3, 1).reshape(batch, down, rows, across, 2, channels)
    return blocks.transpose(2, 3).reshape(batch, down, across, 2 * rows * channels).permute(0, 3, 1, 2)


def window(op: Pool, shape: Shape) -> tuple[bool, bool] | None:
    """How torch's own pooling does what `op` says to a map of `shape` (channels, height, width).

    Returns:
        Whether it rounds up (`ceil_mode`), and whether it counts the padding; None where it cannot do it, because it pads
        opposite sides alike.
    """
    _, height, width = shape
    top, left, bottom, right = op.pads
    if max(top, left) > op.kernel // 2:
        return None
    alike = (top, left, min(top, bottom), min(left, right))
    if op.kind == "average" and any(op.counted) and op.counted != alike:
        return None
    sides = ((height, top, bottom), (width, left, right))
    wanted = [(size + before + behind - op.kernel) // op.stride + 1 for size, before, behind in sides]
    for ceil in (False, True):
        if wanted == [_steps(size, op.kernel, op.stride, before, ceil) for size, before, _ in sides]:
            return ceil, any(op.counted)
    return None


def counts(op: Pool, shape: Shape) -> Array:
    """What share of each window an average divides by, `[1, 1, height, width]`: less than all of it at the border."""
    _, height, width = shape
    top, left, bottom, right = op.pads
    above, before, below, behind = op.counted
    inside = torch.zeros(1, 1, height + top + bottom, width + left + right)
    inside[:, :, top - above : top + height + below, left - before : left + width + behind] = 1
    share: Array = functional.avg_pool2d(inside, op.kernel, op.stride).numpy()
    return share


def _steps(size: int, kernel: int, stride: int, pad: int, ceil: bool) -> int:
    """How many windows torch lets slide over a side."""
    room = size + 2 * pad - kernel
    if not ceil:
        return room // stride + 1
    steps = -(-room // stride)
    return steps if steps * stride >= size + pad else steps + 1
