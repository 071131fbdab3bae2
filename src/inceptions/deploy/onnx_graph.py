"""A graph as an ONNX model, node by node: no tracing, so that every name in the file is one of the network's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inceptions.deploy.extras import needed
from inceptions.deploy.graph import (
    NO_PADS,
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
    Pads,
    Pixels,
    Pool,
    Relu,
    SpaceToDepth,
)
from inceptions.deploy.shapes import Shape, bins, shapes

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

OPSET = 21
"""The newest set of operators that ONNX Runtime 1.20 and OpenVINO 2025.0 read."""

IR_VERSION = 10
# onnx.TensorProto's numbers for them.
FLOAT, UINT8, FLOAT16 = 1, 2, 10
BATCH = "batch"
SMALLEST_LENGTH = 1e-12

FIRST_STEP = ".1"
"""Behind an op's name: the first of the several nodes that it takes, as the convolution of one with a ReLU."""

Step = tuple[str, Sequence[str | None], dict[str, Any]]
"""One ONNX operator: its kind, what it reads (None for what the step before made), its attributes."""


def to_onnx(
    graph: Graph,
    metadata: Mapping[str, str] | None = None,
    *,
    half: bool = False,
    apart: dict[str, Array] | None = None,
) -> ModelProto:
    """The ONNX model of a graph, for any number of images.

    Its input has the graph's name for it. Its outputs have the names of the heads. Weights are called after the op they belong
    to: `inception_3a.branch_2.3x3.weight`.

    Args:
        graph: what to write down.
        metadata: kept in the model's `metadata_props`.
        half: keep weights and compute in float16; what enters and leaves stays as it is.
        apart: is given the float32 weights of convolutions and dense layers, as they are and by their names. The model then
            takes them as further inputs: an engine that gets them from here needs no copy of them.

    Raises:
        MachineError: the package onnx is missing.
    """
    helper = needed("onnx.helper", "onnx")
    heads = {value: head for head, value in graph.outputs.items()}
    assert len(heads) == len(graph.outputs), "two heads share a value"
    from_array = needed("onnx.numpy_helper", "onnx").from_array
    assert apart is None or not half
    writer = _Writer(helper.make_node, from_array, {} if half else heads, shapes(graph), half=half, apart=apart)
    if half and not graph.pixels:
        writer.called = {graph.input: f"{graph.input}.half"}
        writer.cast(graph.input, f"{graph.input}.half", FLOAT16)
    for op in graph.ops:
        writer.write(op)
    if half:
        for value, head in heads.items():
            writer.cast(value, head, FLOAT)
    channels, height, width = graph.shape
    entry = (
        helper.make_tensor_value_info(graph.input, UINT8, [BATCH, height, width, channels])
        if graph.pixels
        else helper.make_tensor_value_info(graph.input, FLOAT, [BATCH, channels, height, width])
    )
    exits = [
        helper.make_tensor_value_info(head, FLOAT, [BATCH, *writer.shapes[value]]) for head, value in graph.outputs.items()
    ]
    weights = [helper.make_tensor_value_info(name, FLOAT, list(weight.shape)) for name, weight in (apart or {}).items()]
    model: ModelProto = helper.make_model(
        helper.make_graph(writer.nodes, "inceptions", [entry, *weights], exits, writer.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="inceptions",
    )
    if metadata:
        helper.set_model_props(model, dict(metadata))
    return model


@dataclass
class _Writer:
    """Nodes and constants as they are collected.

    Attributes:
        make_node: `onnx.helper.make_node`.
        from_array: `onnx.numpy_helper.from_array`.
        called: names of values that leave the model under another name.
        shapes: of every value of the graph, without the batch.
        half: whether to compute in float16.
        apart: takes the weights instead of `constants`, unless it is None.
    """

    make_node: Callable[..., NodeProto]
    from_array: Callable[..., TensorProto]
    called: Mapping[str, str]
    shapes: Mapping[str, Shape]
    half: bool
    apart: dict[str, Array] | None
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def write(self, op: Op) -> None:
        """Add the nodes of one op; the last of them makes the value that has its name."""
        steps = list(self._steps(op))
        before = ""
        for number, (kind, reads, attributes) in enumerate(steps, start=1):
            name = op.name if number == len(steps) else f"{op.name}.{number}"
            makes = self._value(name)
            inputs = [before if one is None else one for one in reads]
            self.nodes.append(self.make_node(kind, inputs, [makes], name=name, **attributes))
            before = makes

    def cast(self, value: str, makes: str, kind: int) -> None:
        """Add a change of type at the beginning or at the end."""
        self.nodes.append(self.make_node("Cast", [value], [makes], name=makes, to=kind))

    def _steps(self, op: Op) -> Iterator[Step]:
        it: Sequence[str | None] = [] if isinstance(op, Concat) else [self._value(op.input)]
        match op:
            case Pixels():
                yield "Cast", it, {"to": FLOAT16 if self.half else FLOAT}
                yield "Transpose", [None], {"perm": [0, 3, 1, 2]}
                if op.order != tuple(range(len(op.order))):
                    yield "Gather", [None, self._constant(op, "order", np.array(op.order, np.int64))], {"axis": 1}
                yield "Mul", [None, self._constant(op, "scale", _column(op.scale, 3))], {}
                yield "Add", [None, self._constant(op, "shift", _column(op.shift, 3))], {}
            case Conv():
                window = {"kernel_shape": list(op.weight.shape[2:]), "strides": list(op.stride), "pads": list(op.pads)}
                yield "Conv", [*it, *self._weights(op)], {**window, "group": op.groups}
                yield from _relu(op)
            case Affine():
                rank = len(self.shapes[op.input])
                yield "Mul", [*it, self._constant(op, "scale", _column(op.scale, rank))], {}
                yield "Add", [None, self._constant(op, "shift", _column(op.shift, rank))], {}
            case Relu():
                yield "Relu", it, {}
            case Pool(kind="max"):
                yield "MaxPool", it, _window(op, op.pads)
            case Pool():
                yield from self._average(op)
            case GridPool():
                _, height, width = self.shapes[op.input]
                columns = self._constant(op, "columns", bins(width, op.grid).T)
                yield "MatMul", [*it, columns], {}
                yield "MatMul", [self._constant(op, "rows", bins(height, op.grid)), None], {}
            case GlobalPool():
                yield "GlobalAveragePool", it, {}
                yield "Flatten", [None], {"axis": 1}
            case LocalResponseNorm():
                yield "LRN", it, {"size": op.size, "alpha": op.alpha, "beta": op.beta, "bias": op.k}
            case Concat():
                yield "Concat", [self._value(one) for one in op.inputs], {"axis": 1}
            case Channels():
                limits = {"start": op.start, "stop": op.stop, "axis": 1}
                parts = [self._constant(op, role, np.array([at], np.int64)) for role, at in limits.items()]
                yield "Slice", [*it, *parts], {}
            case Add():
                residual = self._value(op.residual)
                if op.scale != 1:
                    yield "Mul", [residual, self._constant(op, "factor", np.array(op.scale, np.float32))], {}
                yield "Add", [*it, residual if op.scale == 1 else None], {}
                yield from _relu(op)
            case Flatten():
                yield "Flatten", it, {"axis": 1}
            case Dense():
                yield "Gemm", [*it, *self._weights(op)], {"transB": 1}
                yield from _relu(op)
            case LengthOne():
                yield "ReduceL2", [*it, self._constant(op, "axis", np.array([1], np.int64))], {"keepdims": 1}
                yield "Max", [None, self._constant(op, "least", np.array(SMALLEST_LENGTH, np.float32))], {}
                yield "Div", [*it, None], {}
            case SpaceToDepth():
                _, height, width = self.shapes[op.input]
                if height % op.rows or width % 2:
                    yield "Pad", [*it, *self._pads(op, (0, 0, height % op.rows, width % 2))], {}
                    it = [None]
                if op.rows == 2:
                    yield "SpaceToDepth", it, {"blocksize": 2}
                else:
                    channels, height, width = self.shapes[op.name]
                    yield "Transpose", it, {"perm": [0, 2, 3, 1]}
                    shape = np.array([0, height, width, channels], np.int64)
                    yield "Reshape", [None, self._constant(op, "shape", shape)], {}
                    yield "Transpose", [None], {"perm": [0, 3, 1, 2]}

    def _average(self, op: Pool) -> Iterator[Step]:
        """ONNX counts either all of the padding or none of it: what is counted of another becomes zeros of the map."""
        counted = _least(op.pads, op.counted)
        it = self._value(op.input)
        if counted in (op.pads, NO_PADS):
            yield "AveragePool", [it], {**_window(op, op.pads), "count_include_pad": int(counted == op.pads)}
            return
        yield "Pad", [it, *self._pads(op, counted)], {}
        top, left, bottom, right = (reach - inside for reach, inside in zip(op.pads, counted, strict=True))
        yield "AveragePool", [None], _window(op, (top, left, bottom, right))

    def _weights(self, op: Conv | Dense) -> list[str]:
        bias = [] if op.bias is None else [self._constant(op, "bias", op.bias)]
        if self.apart is None:
            return [self._constant(op, "weight", op.weight), *bias]
        name = f"{op.name}.weight"
        self.apart[name] = np.ascontiguousarray(op.weight)
        return [name, *bias]

    def _pads(self, op: Op, pads: Pads) -> list[str]:
        top, left, bottom, right = pads
        return [self._constant(op, "pads", np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))]

    def _constant(self, op: Op, role: str, content: NDArray[Any]) -> str:
        name = f"{op.name}.{role}"
        narrow = self.half and content.dtype == np.float32
        self.constants.append(self.from_array(content.astype(np.float16) if narrow else content, name))
        return name

    def _value(self, name: str) -> str:
        return self.called.get(name, name)


def _relu(op: Conv | Add | Dense) -> Iterator[Step]:
    if op.relu:
        yield "Relu", [None], {}


def _window(op: Pool, pads: Pads) -> dict[str, Any]:
    return {"kernel_shape": [op.kernel] * 2, "strides": [op.stride] * 2, "pads": list(pads)}


def _least(first: Pads, second: Pads) -> Pads:
    top, left, bottom, right = map(min, first, second)
    return top, left, bottom, right


def _column(values: Array, rank: int) -> Array:
    """A number a channel, shaped to meet `[batch, channels, …]`."""
    return values.reshape(-1, *(1,) * (rank - 1)).astype(np.float32)


def metadata_of(model: ModelProto) -> dict[str, str]:
    """What a model says about itself."""
    return {entry.key: entry.value for entry in model.metadata_props}
