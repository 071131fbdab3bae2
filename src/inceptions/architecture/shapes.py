"""How large a map is after each node: the one place where sizes are computed.

Everything that needs a number the declaration does not hold (input channels, sizes, parameters, multiply-adds) starts here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

from inceptions.architecture.nodes import (
    Chain,
    Concat,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    GridPool,
    L2Normalise,
    LocalResponseNorm,
    Node,
    Padding,
    Pool,
    Residual,
    SeparableConv,
)


@dataclass(frozen=True, slots=True)
class Shape:
    """Channels, height and width of a map; a vector is a map of 1x1."""

    channels: int
    height: int = 1
    width: int = 1

    @property
    def values(self) -> int:
        """How many numbers the map holds."""
        return self.channels * self.height * self.width

    def __str__(self) -> str:
        """As the papers write it: height x width x channels."""
        return f"{self.height}×{self.width}×{self.channels}"


class TooSmall(Exception):
    """A window does not fit the map it is to slide over; `node` is where."""

    def __init__(self, node: str, shape: Shape) -> None:
        """Keep the node's name and the map that was too small for it."""
        super().__init__(f"{node} cannot work on a map of {shape.height}×{shape.width}")
        self.node = node
        self.shape = shape


@lru_cache(maxsize=65536)
def after(node: Node, shape: Shape) -> Shape:
    """The shape that leaves `node` when `shape` enters it.

    Raises:
        TooSmall: a window does not fit, or the branches of a `Concat` disagree.
    """
    match node:
        case Conv(filters=filters) | SeparableConv(filters=filters):
            height, width = (
                _slide(node.name, size, kernel, node.stride, node.padding, False, shape)
                for size, kernel in zip((shape.height, shape.width), node.window, strict=True)
            )
            return Shape(filters, height, width)
        case Pool(kernel=kernel):
            height, width = (
                _slide(node.name, size, kernel, node.stride, node.padding, node.ceil, shape)
                for size in (shape.height, shape.width)
            )
            return Shape(shape.channels, height, width)
        case GridPool(grid=grid):
            return Shape(shape.channels, grid, grid)
        case GlobalPool():
            return Shape(shape.channels)
        case LocalResponseNorm() | Dropout() | L2Normalise():
            return shape
        case Flatten():
            return Shape(shape.values)
        case Dense(units=units):
            assert shape.height == shape.width == 1, f"{node.name} needs a vector: flatten or pool before it"
            return Shape(units)
        case Chain(nodes=nodes):
            for inner in nodes:
                shape = after(inner, shape)
            return shape
        case Concat(branches=branches):
            shapes = [after(branch, shape) for branch in branches]
            if len({(out.height, out.width) for out in shapes}) > 1:
                raise TooSmall(node.name, shape)
            return Shape(sum(out.channels for out in shapes), shapes[0].height, shapes[0].width)
        case Residual(body=body):
            out = after(body, shape)
            assert out == shape, f"{node.name}: the body turns {shape} into {out}; a sum needs them equal"
            return shape


def reduction(node: Node) -> int:
    """How many times smaller the map is behind `node`; 0 where no map is left, only a vector or a fixed grid."""
    match node:
        case Conv(stride=stride) | SeparableConv(stride=stride) | Pool(stride=stride):
            return stride
        case GridPool() | GlobalPool() | Flatten() | Dense() | L2Normalise():
            return 0
        case Chain(nodes=nodes):
            return prod(reduction(inner) for inner in nodes)
        case Concat(branches=branches):
            return reduction(branches[0])
        case _:
            return 1


def pads(size: int, kernel: int, stride: int, padding: Padding) -> tuple[int, int]:
    """Pixels added (before, after) one side of length `size`."""
    match padding:
        case "valid":
            return 0, 0
        case "same":
            return (kernel - 1) // 2, (kernel - 1) // 2
        case "tensorflow":
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            return total // 2, total - total // 2
        case int():
            return padding, padding


def _slide(name: str, size: int, kernel: int, stride: int, padding: Padding, ceil: bool, shape: Shape) -> int:
    before, behind = pads(size, kernel, stride, padding)
    room = size + before + behind - kernel
    steps = -(-room // stride) if ceil else room // stride
    # A window that would start in the padding behind the map sees nothing; Caffe and PyTorch leave it out.
    if ceil and steps * stride >= size + before:
        steps -= 1
    if room < 0 and not (ceil and steps >= 0):
        raise TooSmall(name, shape)
    return steps + 1
