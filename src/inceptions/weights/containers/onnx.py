"""The weights of an ONNX model, read without onnx: initialisers, and constants among the nodes.

onnx/onnx.proto: ModelProto, GraphProto, NodeProto, TensorProto. Bodies of loops and branches are not looked into.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inceptions.weights.containers.checkpoint import Fault
from inceptions.weights.containers.protobuf import MOST_INTEGERS, Message, mapped
from inceptions.weights.containers.values import Budget, checked_shape, from_array, from_bytes

# TensorProto.DataType: the type, the field of its numbers when they are not raw bytes, and how they are encoded there.
TYPES: Mapping[int, tuple[torch.dtype, int, str]] = {
    1: (torch.float32, 4, "<f4"),
    2: (torch.uint8, 5, "<u1"),
    3: (torch.int8, 5, "<i1"),
    4: (torch.uint16, 5, "<u2"),
    5: (torch.int16, 5, "<i2"),
    6: (torch.int32, 5, "<i4"),
    7: (torch.int64, 7, "<i8"),
    9: (torch.bool, 5, "?"),
    10: (torch.float16, 5, "<i2"),
    11: (torch.float64, 10, "<f8"),
    12: (torch.uint32, 11, "<u4"),
    13: (torch.uint64, 11, "<u8"),
    16: (torch.bfloat16, 5, "<i2"),
}
_EXTERNAL = 1


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights by their names in the graph, and the nodes in order.

    Raises:
        Fault: it is no model, damaged, or its weights are in a file that is not beside it.
    """
    model = Message(mapped(path))
    graph = model.message(7)
    source = _Source(path)
    tensors: dict[str, Tensor] = {}
    if 15 in graph:
        raise Fault("has sparse weights", "Export it with dense ones.")
    for message in graph.messages(5):
        source.add(tensors, message.text(8), message)
    nodes: list[dict[str, Any]] = []
    for node in graph.messages(1):
        attributes = {attribute.text(1): attribute for attribute in node.messages(5)}
        outputs = node.texts(2)
        if node.text(4) == "Constant" and "value" in attributes and outputs:
            source.add(tensors, outputs[0], attributes["value"].message(5))
        found = {key: value for key, attribute in attributes.items() if (value := _plain(attribute)) is not None}
        one = {"name": node.text(3), "op": node.text(4), "inputs": node.texts(1), "outputs": outputs, "attributes": found}
        nodes.append(one)
        source.budget.note(one)
    opset = {one.text(1): one.integer(2) for one in model.messages(8)}
    properties = {pair.text(1): pair.text(2) for pair in model.messages(14)}
    metadata = {"nodes": nodes, "producer": model.text(2), "opset": opset, "properties": properties}
    return tensors, metadata


class _Source:
    """A model's tensors, here and in the files beside it.

    Args:
        path: the model.

    Attributes:
        budget: how much memory all these files together may take.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[str, memoryview] = {}
        self.budget = Budget(path.stat().st_size)

    def add(self, tensors: dict[str, Tensor], name: str, message: Message) -> None:
        """Take in a TensorProto; text is left out.

        Raises:
            Fault: there are more or fewer numbers than its shape needs, or the name is taken.
        """
        if name in tensors:
            raise Fault(f"has two tensors of the name {name}")
        kind = message.integer(2)
        if kind not in TYPES:
            if kind == 8:
                return
            raise Fault(f"has {name} of ONNX type {kind}, which is no type of weights", "Export it as float32.")
        dtype, field, stored = TYPES[kind]
        shape = checked_shape(message.integers(1), name)
        if message.integer(14) == _EXTERNAL:
            tensors[name] = from_bytes(self._external(message, name), dtype, shape, name)
        elif 9 in message:
            tensors[name] = from_bytes(message.blobs(9)[-1], dtype, shape, name)
        else:
            array = message.array(field, stored)
            self.budget.spend(array.nbytes, name)
            half = dtype in (torch.float16, torch.bfloat16)
            tensors[name] = from_array(array, shape, name).view(dtype) if half else from_array(array, shape, name)

    def _external(self, message: Message, name: str) -> memoryview:
        """The bytes of a tensor in a file beside the model, never in one elsewhere."""
        where = {pair.text(1): pair.text(2) for pair in message.messages(13)}
        location = where.get("location", "")
        if location not in self._files:
            file = self._beside(location, name)
            self._files[location] = mapped(file)
            self.budget = Budget(self._path.stat().st_size + sum(len(view) for view in self._files.values()))
        data = self._files[location]
        try:
            offset = int(where.get("offset", "0"))
            length = int(where["length"]) if "length" in where else len(data) - offset
        except ValueError:
            raise Fault(f"does not say where in {location} the values of {name} are") from None
        if offset < 0 or length < 0 or offset + length > len(data):
            raise Fault(f"says that {name} ends at byte {offset + length:,} of {location}, which has {len(data):,}")
        self.budget.spend(length, name)
        return data[offset : offset + length]

    def _beside(self, location: str, name: str) -> Path:
        folder = self._path.parent.resolve()
        try:
            file = (folder / location).resolve()
            inside = bool(location) and file.is_relative_to(folder) and not os.path.isabs(location)  # noqa: PTH117 (any style)
            there = inside and file.is_file()
        except (OSError, ValueError, RuntimeError):  # a loop of links is the last
            inside = there = False
        if not inside:
            raise Fault(
                f"wants the values of {name} from {location!r}, outside its own folder",
                "That is not followed; export it again with its weights beside it, or inside.",
            )
        if not there:
            raise Fault(f"has its weights in {location}, which is not beside it", "Fetch that file too.")
        return file


def _plain(attribute: Message) -> Any:
    """An AttributeProto: a number, text, or a list of numbers; None for tensors and graphs."""
    if 2 in attribute:
        return struct.unpack("<f", struct.pack("<I", attribute.fixed32(2)))[0]
    if 3 in attribute:
        return attribute.integer(3)
    if 4 in attribute:
        return attribute.text(4)
    if 7 in attribute:
        numbers = np.asarray(attribute.array(7, "<f4"))
        return numbers.tolist() if numbers.size <= MOST_INTEGERS else None
    return attribute.integers(8) if 8 in attribute else None
