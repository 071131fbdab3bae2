"""CRC-32C (Castagnoli, RFC 3720, appendix B.4), by which TensorFlow's files check themselves.

A checksum of bytes one after the other would take Python minutes for a checkpoint. But it is linear: the stream is cut into
rows that are summed side by side by NumPy, and the sums are joined by what a row of zeros does to a sum.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78  # reversed
_MASK = 0xA282EAD8
_ONES = 0xFFFFFFFF

Table = NDArray[np.uint32]


def crc32c(data: bytes | memoryview) -> int:
    """The checksum of bytes."""
    array = np.frombuffer(data, np.uint8)
    width = 1 << max(4, int(np.sqrt(len(array))).bit_length() - 1)
    rows = len(array) // width
    state = _ONES
    if rows > 1:
        table = _bytes()
        square = np.ascontiguousarray(array[: rows * width].reshape(rows, width).T)
        sums = np.zeros(rows, np.uint32)
        for column in square:
            sums = table[(sums ^ column) & 0xFF] ^ (sums >> np.uint32(8))
        zeros = _zeros(width)
        for total in sums.tolist():
            state = _apply(zeros, state) ^ total
        array = array[rows * width :]
    table_ = _bytes().tolist()
    for byte in array.tolist():
        state = table_[(state ^ byte) & 0xFF] ^ (state >> 8)
    return state ^ _ONES


def masked(data: bytes | memoryview) -> int:
    """The checksum as LevelDB's tables and TensorFlow's bundles store it: turned and shifted."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK) & _ONES


@cache
def _bytes() -> Table:
    """What each value of a byte does to a sum."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ np.where(table & np.uint32(1), np.uint32(_POLYNOMIAL), np.uint32(0))
    return table


@cache
def _zeros(count: int) -> tuple[list[int], ...]:
    """What a power of two of zero bytes does to a sum: a table for each of its four bytes."""
    if count == 1:
        table = _bytes()
        first = table.tolist()
        return (first, *([value << 8 * (i - 1) for value in range(256)] for i in (1, 2, 3)))
    half = _zeros(count // 2)
    return tuple([_apply(half, entry) for entry in part] for part in half)


def _apply(tables: tuple[list[int], ...], state: int) -> int:
    first, second, third, fourth = tables
    return first[state & 0xFF] ^ second[state >> 8 & 0xFF] ^ third[state >> 16 & 0xFF] ^ fourth[state >> 24]
