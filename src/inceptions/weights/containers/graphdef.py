"""A frozen TensorFlow graph: the constants among its nodes, and what the other nodes do with them.

tensorflow/core/framework/{graph,node_def,attr_value}.proto
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from inceptions.weights.containers.checkpoint import Fault
from inceptions.weights.containers.protobuf import Message, mapped
from inceptions.weights.containers.tensorproto import shape_of, tensor_of, type_of
from inceptions.weights.containers.values import Budget

# What decides how an operation treats its weights; names of devices and types of gradients do not.
ATTRIBUTES = frozenset(
    [
        "strides",
        "padding",
        "ksize",
        "epsilon",
        "data_format",
        "dilations",
        "transpose_a",
        "transpose_b",
        "is_training",
        "align_corners",
        "half_pixel_centers",
        "depth_radius",
        "bias",
        "alpha",
        "beta",
        "scale_after_normalization",
        "variance_epsilon",
        "axis",
    ]
)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The constants of a graph by the names of their nodes, and all nodes in order.

    Raises:
        Fault: it is no graph, or damaged.
    """
    view = mapped(path)
    budget = Budget(len(view))
    tensors: dict[str, Tensor] = {}
    nodes: list[dict[str, Any]] = []
    for node in Message(view).messages(1):
        name, op = node.text(1), node.text(2)
        if not name or not op:
            raise Fault("is no TensorFlow graph: a node has no name or no operation")
        attributes = {pair.text(1): pair.message(2) for pair in node.messages(5)}
        if op == "Const":
            if name in tensors:
                raise Fault(f"has two nodes of the name {name}")
            tensor = _constant(attributes, name, budget)
            if tensor is not None:
                tensors[name] = tensor
        found = {key: _plain(value) for key, value in attributes.items() if key in ATTRIBUTES}
        nodes.append({"name": name, "op": op, "inputs": node.texts(3), "attributes": found})
        budget.note(nodes[-1])
    variables = [node["name"] for node in nodes if node["op"] in ("Variable", "VariableV2", "VarHandleOp")]
    if variables and not any(tensor.dim() > 1 and tensor.is_floating_point() for tensor in tensors.values()):
        raise Fault(
            f"is a graph that is not frozen: the values of its variables ({variables[0]}, ...) are in a checkpoint",
            "Give that checkpoint instead.",
        )
    return tensors, {"nodes": nodes}


def _constant(attributes: Mapping[str, Message], name: str, budget: Budget) -> Tensor | None:
    """The value of a constant; None if it is no number (text)."""
    if "value" not in attributes:
        raise Fault(f"has a constant {name} without a value")
    value = attributes["value"].message(8)
    dtype = type_of(value.integer(1), name)
    return None if dtype is None else tensor_of(value, name, dtype, shape_of(value.message(2), name), budget)


def _plain(attribute: Message) -> Any:
    """An AttrValue: a list of numbers, text, a number, or a yes or no."""
    if 1 in attribute:
        return attribute.message(1).integers(3)
    if 2 in attribute:
        return attribute.text(2)
    if 3 in attribute:
        return attribute.integer(3)
    if 4 in attribute:
        return struct.unpack("<f", struct.pack("<I", attribute.fixed32(4)))[0]
    return bool(attribute.integer(5)) if 5 in attribute else None
