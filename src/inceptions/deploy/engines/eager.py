"""The fastest that torch does without compiling anything: oneDNN's convolutions, with weights laid out for them once.

Maps keep the channels of a pixel side by side. Vectors, and with them the logits, are float32 in every precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inceptions.deploy.engines.engine import Precision
from inceptions.deploy.engines.maximum import maximum
from inceptions.deploy.engines.module import counts, module, pixels, space_to_depth
from inceptions.deploy.engines.threads import limited
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
    LengthOne,
    Op,
    Pixels,
    Pool,
    Relu,
    SpaceToDepth,
    inputs,
)
from inceptions.deploy.rewrites.pool_as_conv import depthwise
from inceptions.deploy.shapes import shapes
from inceptions.errors import UsageError
from inceptions.network.hardware import keep_memory

TYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bf16": torch.bfloat16}
LAST = torch.channels_last

Compute = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class Step:
    """One call: which values it takes, which it makes, and which nobody needs any more behind it."""

    compute: Compute
    takes: tuple[int, ...]
    makes: int
    frees: tuple[int, ...]


class Eager:
    """A graph as a list of calls. See `Engine`."""

    name = "eager"

    def __init__(self, graph: Graph, precision: Precision, batch: int, threads: int | None) -> None:
        self.precision = precision
        self._threads = threads
        self._lock = Lock()
        keep_memory()
        with torch.inference_mode():
            self._steps, self._exits = _plan(graph, TYPES[precision], batch)

    def run(self, images: NDArray[np.float32] | NDArray[np.uint8]) -> dict[str, Array]:
        """Logits by head. See `Engine.run`."""
        with self._lock, torch.inference_mode(), limited(self._threads):
            values: list[Tensor | None] = [None] * (len(self._steps) + 1)
            values[0] = torch.from_numpy(np.require(images, requirements=["C", "W"]))
            for step in self._steps:
                values[step.makes] = step.compute(*[values[i] for i in step.takes])
                for i in step.frees:
                    values[i] = None
            return {head: values[i].numpy() for head, i in self._exits.items()}  # type: ignore[union-attr]


def engine(
    graph: Graph, *, precision: Precision = "float32", batch: int = 1, threads: int | None = None, cache: Path | None = None
) -> Eager:
    """Make a graph ready to run.

    Args:
        graph: rewritten for this engine (`rewrite(graph, engine="eager")`).
        precision: "float32", or "bf16" where the processor multiplies it.
        batch: how many images will usually come at once; others work too.
        threads: how many to use; torch's own number if None.
        cache: not used, nothing is compiled.

    Raises:
        UsageError: another precision.
    """
    del cache
    if precision not in TYPES:
        raise UsageError(f"The engine eager computes in {' or '.join(TYPES)}, not in {precision}.")
    return Eager(graph, precision, batch, threads)


def _plan(graph: Graph, dtype: torch.dtype, batch: int) -> tuple[list[Step], dict[str, int]]:
    builder = _Builder(graph, dtype, batch)
    calls: list[tuple[Compute, tuple[str, ...], str]] = []
    if not graph.pixels:
        # Both at once takes torch nearly three times as long.
        calls.append((lambda x: x.contiguous(memory_format=LAST).to(dtype), (graph.input,), "entry"))
    names = {} if graph.pixels else {graph.input: "entry"}
    for op in graph.ops:
        if op.name not in builder.absorbed:
            compute, takes = builder.call(op)
            calls.append((compute, tuple(names.get(one, one) for one in takes), op.name))
    places = {graph.input: 0} | {made: i for i, (_, _, made) in enumerate(calls, start=1)}
    last = {name: i for i, (_, takes, _) in enumerate(calls) for name in takes}
    kept = {graph.input, *graph.outputs.values()}
    steps = [
        Step(
            compute,
            tuple(places[name] for name in takes),
            places[made],
            tuple(places[name] for name in dict.fromkeys(takes) if last[name] == i and name not in kept),
        )
        for i, (compute, takes, made) in enumerate(calls)
    ]
    return steps, {head: places[value] for head, value in graph.outputs.items()}


class _Builder:
    """Ops to calls, which keep hold of no op: its weights would stay beside those that are laid out.

    Attributes:
        absorbed: names of the convolutions that are computed together with the sum that reads them.
    """

    def __init__(self, graph: Graph, dtype: torch.dtype, batch: int) -> None:
        self.graph = graph
        self.dtype = dtype
        self.batch = batch
        self.sizes = shapes(graph)
        self.packs = _packs(dtype)
        self.positive = not_negative(graph)
        self.absorbed = {
            before.name for op in graph.ops if self.packs and isinstance(op, Add) and (before := self._summed(op)) is not None
        }

    def call(self, op: Op) -> tuple[Compute, tuple[str, ...]]:
        """What computes an op, and the names of the values it takes."""
        takes = inputs(op)
        match op:
            case Pixels():
                scale, shift = (torch.tensor(values).reshape(-1, 1, 1) for values in (op.scale, op.shift))
                order, dtype = op.order, self.dtype
                return lambda x: pixels(x, scale, shift, order, dtype), takes
            case Conv():
                return self._convolution(op), takes
            case Add():
                return self._sum(op)
            case Pool(kind="max") if op.input in self.positive:
                return maximum(op, self.sizes[op.name]), takes
            case Pool(kind="average") if op.stride == 1 and self.packs:
                return self._average(op), takes
            case Concat():
                return lambda *parts: torch.cat(parts, 1), takes
            case Channels():
                return lambda x: x[:, op.start : op.stop], takes
            case Relu():
                return torch.relu, takes
            case GlobalPool():
                return lambda x: x.mean((2, 3), dtype=torch.float32), takes
            case Flatten():
                return lambda x: x.flatten(1).float(), takes
            case Dense():
                return _dense(op), takes
            case LengthOne():
                return functional.normalize, takes
            case SpaceToDepth():
                return lambda x: space_to_depth(x, op.rows), takes
            case _:
                return self._other(op), takes

    def _other(self, op: Op) -> Compute:
        """What torch's own functions do, one op at a time."""
        (source,) = inputs(op)
        shape = self.sizes[source]
        if isinstance(op, Affine) and len(shape) == 1:
            scale, shift = torch.tensor(op.scale), torch.tensor(op.shift)
            return lambda x: torch.addcmul(shift, x, scale)
        channels, height, width = shape
        alone = Graph(input=source, shape=(channels, height, width), ops=(op,), outputs={"out": op.name})
        computed = module(alone, dtype=self.dtype)
        dtype = self.dtype
        return lambda x: computed(x)[0].to(dtype)

    def _summed(self, op: Add) -> Conv | None:
        """The convolution whose product can be added to the map where that lies."""
        # oneDNN adds the product as it is; a factor that no rewrite has folded into the weights is applied to the map.
        if op.scale != 1 or op.input == op.residual:
            return None
        before = self.graph.only_read_by(op)
        return before if isinstance(before, Conv) and not before.relu else None

    def _sum(self, op: Add) -> tuple[Compute, tuple[str, ...]]:
        conv = self._summed(op) if self.packs else None
        if conv is None:
            relu = torch.relu if op.relu else _same
            return lambda x, y: relu(torch.add(x, y, alpha=op.scale)), inputs(op)
        weight, bias, around, border = self._packed(conv)
        last = "relu" if op.relu else None
        call = torch.ops.mkldnn._convolution_pointwise.binary
        stride, ones, groups = list(conv.stride), [1, 1], conv.groups

        def compute(x: Tensor, y: Tensor) -> Tensor:
            if border is not None:
                y = functional.pad(y, border)
            out: Tensor = call(y, x, weight, bias, around, stride, ones, groups, "add", 1.0, last, [], None)
            return out

        return compute, (op.input, conv.input)

    def _convolution(self, op: Conv) -> Compute:
        weight, bias, around, border = self._packed(op)
        stride, ones, groups, rectified = list(op.stride), [1, 1], op.groups, op.relu
        if self.packs:
            call, last = torch.ops.mkldnn._convolution_pointwise, "relu" if rectified else "none"
            if border is None:
                return lambda x: call(x, weight, bias, around, stride, ones, groups, last, [], None)
            return lambda x: call(functional.pad(x, border), weight, bias, around, stride, ones, groups, last, [], None)

        def compute(x: Tensor) -> Tensor:
            if border is not None:
                x = functional.pad(x, border)
            out = functional.conv2d(x, weight, bias, stride, around, 1, groups)
            return functional.relu_(out) if rectified else out

        return compute

    def _packed(self, op: Conv) -> tuple[Tensor, Tensor | None, list[int], tuple[int, int, int, int] | None]:
        """Weight, bias, what the convolution pads itself, and what is padded before it because its sides differ."""
        top, left, bottom, right = op.pads
        around, border = [top, left], None
        channels, height, width = self.sizes[op.input]
        if (top, left) != (bottom, right):
            around, border = [0, 0], (left, right, top, bottom)
            height, width = height + top + bottom, width + left + right
        weight = torch.tensor(op.weight, dtype=self.dtype).contiguous(memory_format=LAST)
        bias = None if op.bias is None else torch.tensor(op.bias, dtype=self.dtype)
        if self.packs:
            weight = torch.ops.mkldnn._reorder_convolution_weight(
                weight, around, list(op.stride), [1, 1], op.groups, [self.batch, channels, height, width]
            )
        return weight, bias, around, border

    def _average(self, op: Pool) -> Compute:
        """A convolution that adds up, and at the border a factor for what is not counted."""
        summed = self._convolution(depthwise(op, self.sizes[op.input][0]))
        share = counts(op, self.sizes[op.input])
        if (share == 1).all():
            return summed
        factor = torch.from_numpy(1 / share).to(self.dtype)
        return lambda x: summed(x).mul_(factor)


def _packs(dtype: torch.dtype) -> bool:
    """Whether this build of torch has the calls that its own compiler uses, and the processor the precision."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    there = all(hasattr(torch.ops.mkldnn, name) for name in ("_convolution_pointwise", "_reorder_convolution_weight"))
    return there and (dtype != torch.bfloat16 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))


def _dense(op: Dense) -> Compute:
    weight = torch.tensor(op.weight)
    bias = None if op.bias is None else torch.tensor(op.bias)
    relu = functional.relu_ if op.relu else _same
    return lambda x: relu(functional.linear(x, weight, bias))


def _same(x: Tensor) -> Tensor:
    return x


def not_negative(graph: Graph) -> frozenset[str]:
    """Names of the values that are never below zero."""
    found: set[str] = set()
    for op in graph.ops:
        match op:
            case Relu() | Conv(relu=True) | Add(relu=True) | Dense(relu=True):
                found.add(op.name)
            case Pool() | Concat() | Channels():
                if found.issuperset(inputs(op)):
                    found.add(op.name)
    return frozenset(found)
