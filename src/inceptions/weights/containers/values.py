"""Bytes into tensors: only as many as there are, and only of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inceptions.weights.containers.checkpoint import Fault

MOST_DIMENSIONS = 32
LARGEST_DIMENSION = 2**40
NOTE = 100  # bytes that a name or a number takes in a list
SLACK = 64 * 2**20
EXPANSION = 8
"""Numbers of variable length take one byte in the file and up to eight in memory."""
NUMBERS = frozenset(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"])


class Budget:
    """How many bytes the tensors of a file may take: about what the file could hold, and a little for repeated numbers.

    Args:
        size: of the file in bytes.
    """

    def __init__(self, size: int) -> None:
        self._left = SLACK + EXPANSION * size

    def note(self, entry: Mapping[str, Any]) -> None:
        """Take bytes for a node or layer with its lists of names and numbers.

        Raises:
            Fault: there are not that many left.
        """
        count = 0
        for value in entry.values():
            inner = value.values() if isinstance(value, dict) else (value,)
            count += sum(1 + (len(one) if isinstance(one, list) else 0) for one in inner)
        self.spend(NOTE * count, "the list of layers")

    def spend(self, count: int, name: str) -> None:
        """Take bytes for a tensor, before there is memory for it.

        Raises:
            Fault: there are not that many left.
        """
        self._left -= count
        if self._left < 0:
            raise Fault(f"says that it holds more than its size allows: {name} would have {count:,} bytes")


def checked_shape(shape: Sequence[int], name: str) -> tuple[int, ...]:
    """A shape that a tensor can have.

    Raises:
        Fault: it has absurdly many dimensions, or an absurd one.
    """
    if len(shape) > MOST_DIMENSIONS or any(not 0 <= size <= LARGEST_DIMENSION for size in shape):
        some = ", ".join(str(size) for size in shape[:6]) + (", ..." if len(shape) > 6 else "")
        raise Fault(f"says that {name} has the shape [{some}]")
    return tuple(shape)


def from_bytes(data: memoryview, dtype: torch.dtype, shape: Sequence[int], name: str) -> Tensor:
    """A tensor of its own from little-endian bytes.

    Raises:
        Fault: there are more or fewer bytes than the shape needs.
    """
    shape = checked_shape(shape, name)
    need = prod(shape) * dtype.itemsize
    if need != len(data):
        raise Fault(f"holds {len(data):,} bytes for {name} instead of {need:,} (shape {list(shape)}, {_word(dtype)})")
    if not need:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape)


def from_array(array: NDArray[np.generic], shape: Sequence[int], name: str) -> Tensor:
    """A tensor of its own from an array of numbers.

    Raises:
        Fault: there are more or fewer of them than the shape needs, or they are none.
    """
    shape = checked_shape(shape, name)
    if array.dtype.str[1:] not in NUMBERS:
        raise Fault(f"has {name} of type {array.dtype}, which is no type of weights", "Save it again as float32.")
    if prod(shape) != array.size:
        raise Fault(f"holds {array.size:,} numbers for {name} instead of {prod(shape):,} (shape {list(shape)})")
    # In order and in the machine's byte order, which torch wants; never a view of the file.
    copied = np.array(array, array.dtype.newbyteorder("="), order="C", copy=True)
    return torch.from_numpy(copied.reshape(shape))


def plain(tensor: Tensor) -> NDArray[np.generic]:
    """A tensor as an array to be written.

    Raises:
        Fault: NumPy has no such type.
    """
    tensor = tensor.detach().cpu().contiguous()
    try:
        return tensor.numpy()
    except TypeError as error:
        raise Fault(f"cannot hold {_word(tensor.dtype)}", "Choose safetensors or pytorch.") from error


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
