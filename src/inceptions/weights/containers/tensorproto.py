"""TensorFlow's messages of a tensor, which its graphs and its old checkpoints share.

tensorflow/core/framework/{tensor,tensor_shape,types}.proto
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

from inceptions.weights.containers.checkpoint import Fault
from inceptions.weights.containers.protobuf import Message, encode
from inceptions.weights.containers.values import LARGEST_DIMENSION, Budget, checked_shape, from_array, from_bytes

# DataType of types.proto.
TYPES: Mapping[int, torch.dtype] = {
    1: torch.float32,
    2: torch.float64,
    3: torch.int32,
    4: torch.uint8,
    5: torch.int16,
    6: torch.int8,
    9: torch.int64,
    10: torch.bool,
    14: torch.bfloat16,
    17: torch.uint16,
    19: torch.float16,
    22: torch.uint32,
    23: torch.uint64,
}
_NO_NUMBERS = (7, 20, 21)  # text, handles, and anything at all
# Where a TensorProto lists its numbers one by one, and how they are encoded there.
_FIELDS: Mapping[torch.dtype, tuple[int, str]] = {
    torch.float32: (5, "<f4"),
    torch.float64: (6, "<f8"),
    torch.int32: (7, "<i4"),
    torch.uint8: (7, "<u1"),
    torch.int16: (7, "<i2"),
    torch.int8: (7, "<i1"),
    torch.int64: (10, "<i8"),
    torch.bool: (11, "?"),
    torch.uint16: (7, "<u2"),
    torch.uint32: (16, "<u4"),
    torch.uint64: (17, "<u8"),
    torch.float16: (13, "<u2"),
    torch.bfloat16: (13, "<u2"),
}


def shape_of(message: Message, name: str) -> tuple[int, ...]:
    """The shape in a TensorShapeProto.

    Raises:
        Fault: it is not known, or absurd.
    """
    if message.integer(3):
        raise Fault(f"does not say which shape {name} has")
    return checked_shape([dim.integer(1) for dim in message.messages(2)], name)


def encode_shape(shape: Sequence[int]) -> bytes:
    """A TensorShapeProto."""
    return b"".join(encode(2, encode(1, size)) for size in shape)


def type_of(number: int, name: str) -> torch.dtype | None:
    """The type of a DataType; None for text and handles, which are no weights.

    Raises:
        Fault: it is a type of numbers that networks do not have: complex or quantised ones.
    """
    # References to variables (101 and more) are of the type they refer to.
    number -= 100 if number > 100 else 0
    if number not in TYPES and number not in _NO_NUMBERS:
        raise Fault(f"has {name} of TensorFlow's type {number}, which is no type of weights", "Save it as float32.")
    return TYPES.get(number)


def tensor_of(message: Message, name: str, dtype: torch.dtype, shape: tuple[int, ...], budget: Budget) -> Tensor:
    """The tensor of a TensorProto.

    Args:
        message: the TensorProto.
        name: for the message of an error.
        dtype: of the tensor; old checkpoints leave it out of the message.
        shape: likewise.
        budget: of the file, since one number may stand for all places of a tensor.

    Raises:
        Fault: there are more or fewer numbers than the shape needs.
    """
    content = message.blob(4)
    if content is not None and len(content):
        return from_bytes(content, dtype, shape, name)
    number, stored = _FIELDS[dtype]
    size = prod(shape)
    budget.spend(size * dtype.itemsize, name)
    array = message.array(number, stored)
    if 0 < len(array) < size:
        # The last number stands for all that follow.
        array = np.concatenate([array, np.full(size - len(array), array[-1], array.dtype)])
    if dtype in (torch.float16, torch.bfloat16):
        return from_array(array.view(np.int16), shape, name).view(dtype)
    return from_array(array, shape, name)


def assembled(parts: Sequence[tuple[Sequence[tuple[int, int]], Tensor]], shape: tuple[int, ...], name: str) -> Tensor:
    """A tensor from the slices in which a partitioned variable is saved.

    Args:
        parts: for each slice where it begins and how long it is in each dimension (-1: all of it), and its tensor.
        shape: of the whole.
        name: for the message of an error.

    Raises:
        Fault: slices are missing or overlap.
    """
    whole = [part for where, part in parts if all(pair == (0, -1) for pair in where) and part.shape == shape]
    if len(parts) == 1 and whole:
        return whole[0]
    covered = sum(part.numel() for _, part in parts)
    if not parts or covered != prod(shape):
        raise Fault(f"has {covered:,} of the {prod(shape):,} numbers of {name}")
    result = torch.zeros(shape, dtype=parts[0][1].dtype)
    seen = torch.zeros(shape, dtype=torch.bool)
    for where, part in parts:
        place = slices(where, shape, name)
        if result[place].shape != part.shape or bool(seen[place].any()):
            raise Fault(f"has slices of {name} that do not fit each other")
        result[place] = part
        seen[place] = True
    return result


def extents(message: Message, rank: int) -> list[tuple[int, int]]:
    """Where a TensorSliceProto begins and how long it is, in each dimension."""
    found = [(one.integer(1), one.integer(2, -1)) for one in message.messages(1)]
    if any(not (0 <= start <= LARGEST_DIMENSION and -1 <= length <= LARGEST_DIMENSION) for start, length in found):
        raise Fault("has a slice of a tensor at an absurd place")
    return found or [(0, -1)] * rank


def slices(where: Sequence[tuple[int, int]], shape: tuple[int, ...], name: str) -> tuple[slice, ...]:
    """A place in a tensor.

    Raises:
        Fault: it is not in a tensor of that shape.
    """
    inside = all(start + max(length, 0) <= size for (start, length), size in zip(where, shape, strict=False))
    if len(where) != len(shape) or not inside:
        raise Fault(f"has a slice of {name} that lies outside its shape {list(shape)}")
    return tuple(
        slice(start, size if length < 0 else start + length) for (start, length), size in zip(where, shape, strict=True)
    )
