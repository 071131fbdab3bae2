"""A network as what runs: operations on named values, one after the other, with their weights as arrays.

The declaration says what a network is; a graph says how one of its passes is computed, for images of one size and any number
of them. Rewrites take a graph and give another that computes the same, engines run one, exports write one down. It needs no
torch, so a graph that was written down is run without it.

Shapes leave out the batch: (channels, height, width) for maps, (channels,) for vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

Pads = tuple[int, int, int, int]
"""Rows and columns added around a map: top, left, bottom, right."""

NO_PADS: Pads = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pixels:
    """uint8 images `[batch, height, width, channels]`, RGB, as maps: `scale * pixel + shift`, the channels in `order`."""

    name: str
    input: str
    scale: Array
    shift: Array
    order: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conv:
    """Convolution, then bias if any, then ReLU if `relu`.

    `weight` is `[out, in / groups, height, width]`, `stride` counts pixels down and across.
    """

    name: str
    input: str
    weight: Array
    bias: Array | None = None
    stride: tuple[int, int] = (1, 1)
    pads: Pads = NO_PADS
    groups: int = 1
    relu: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Affine:
    """`x * scale + shift`, a number of each a channel: batch norm outside training. For maps and vectors."""

    name: str
    input: str
    scale: Array
    shift: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relu:
    """Negative values become zero."""

    name: str
    input: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """Maximum or average over a moving window.

    `pads` are as many as the windows reach (rounding up is in them already). No maximum sees them. An average divides by what
    is inside `counted` pads of the map: `NO_PADS` counts the map alone (TensorFlow), `pads` the whole window (Caffe).
    """

    name: str
    input: str
    kind: Literal["max", "average"]
    kernel: int
    stride: int = 1
    pads: Pads = NO_PADS
    counted: Pads = NO_PADS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GridPool:
    """Average over `grid` × `grid` bins that divide the map as evenly as whole pixels allow (PyTorch's adaptive pooling)."""

    name: str
    input: str
    grid: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GlobalPool:
    """The mean of each channel, as a vector."""

    name: str
    input: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalResponseNorm:
    """x / (k + alpha / size * sum of squares of the `size` nearest channels) ** beta."""

    name: str
    input: str
    size: int
    alpha: float
    beta: float
    k: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Concat:
    """Maps of one height and width, joined along the channels."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Channels:
    """Channels `start` (inclusive) to `stop` (exclusive) of a map."""

    name: str
    input: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Add:
    """`input + scale * residual`, then ReLU if `relu`."""

    name: str
    input: str
    residual: str
    scale: float = 1.0
    relu: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flatten:
    """A map as a vector, channel by channel."""

    name: str
    input: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dense:
    """Vectors times `weight` `[out, in]`, plus bias if any, then ReLU if `relu`."""

    name: str
    input: str
    weight: Array
    bias: Array | None = None
    relu: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LengthOne:
    """Vectors divided by their Euclidean length."""

    name: str
    input: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpaceToDepth:
    """Blocks of `rows` × 2 pixels as channels: (c, h, w) to (2 rows c, ceil(h / rows), ceil(w / 2)).

    Channel `(2 * row + column) * c + channel` holds the pixel at (row, column) of each block. An odd last row or column is
    filled up with zeros. Where the channels of a pixel lie side by side, blocks of one row are laid so already.
    """

    name: str
    input: str
    rows: Literal[1, 2] = 2


Op = (
    Pixels
    | Conv
    | Affine
    | Relu
    | Pool
    | GridPool
    | GlobalPool
    | LocalResponseNorm
    | Concat
    | Channels
    | Add
    | Flatten
    | Dense
    | LengthOne
    | SpaceToDepth
)
"""Each op's `name` is also the name of the value it makes."""


def inputs(op: Op) -> tuple[str, ...]:
    """Names of the values an op reads."""
    match op:
        case Concat():
            return op.inputs
        case Add():
            return op.input, op.residual
        case _:
            return (op.input,)


def reading(op: Op, names: Mapping[str, str]) -> Op:
    """The same op, reading other values in place of those that `names` has."""
    match op:
        case Concat():
            return replace(op, inputs=tuple(names.get(one, one) for one in op.inputs))
        case Add():
            return replace(op, input=names.get(op.input, op.input), residual=names.get(op.residual, op.residual))
        case _:
            return replace(op, input=names.get(op.input, op.input))


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A pass through a network.

    Attributes:
        input: name of the value that enters: float32 `[batch, channels, height, width]`, normalised; or, where the first op is
            `Pixels`, uint8 `[batch, height, width, channels]`.
        shape: (channels, height, width) of what enters, in this order in both cases.
        ops: in an order in which they can be computed.
        outputs: name of each head and of the value that holds its logits, `[batch, classes]`; in depth order, "main" last.
    """

    input: str
    shape: tuple[int, int, int]
    ops: tuple[Op, ...]
    outputs: dict[str, str] = field(default_factory=dict)

    @cached_property
    def made_by(self) -> dict[str, Op]:
        """Every value but the input, and the op that makes it."""
        return {op.name: op for op in self.ops}

    @cached_property
    def readers(self) -> dict[str, tuple[Op, ...]]:
        """Every value, and the ops that read it (the outputs are not among them)."""
        found: dict[str, list[Op]] = {self.input: [], **{op.name: [] for op in self.ops}}
        for op in self.ops:
            for name in inputs(op):
                found[name].append(op)
        return {name: tuple(ops) for name, ops in found.items()}

    @cached_property
    def pixels(self) -> bool:
        """Whether it starts from pixels."""
        return bool(self.ops) and isinstance(self.ops[0], Pixels)

    def only_read_by(self, op: Op) -> Op | None:
        """The op whose value `op` reads, if nobody else needs that value; of an `Add`, the op that makes its residual."""
        name = inputs(op)[-1]
        if name == self.input or len(self.readers[name]) > 1 or name in self.outputs.values():
            return None
        return self.made_by[name]

    def with_ops(self, ops: Iterable[Op]) -> Graph:
        """The same graph of other ops."""
        return replace(self, ops=tuple(ops))
