"""The wire format of protocol buffers, and no schema: numbered fields of bytes, numbers and messages.

https://protobuf.dev/programming-guides/encoding. A message is a view of the file until somebody asks for a field of it, so
lengths cannot cost memory, and nesting costs nothing that the reader of a format does not go into by itself.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inceptions.weights.containers.checkpoint import Fault

MOST_FIELDS = 250_000
"""In one message: real ones have as many as a network has layers; arrays of numbers are one field ("packed")."""
MOST_INTEGERS = 100_000
"""In a list of shapes or strides; long arrays are asked for as arrays."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_CUT = "is no valid protocol buffer: "

Value = int | memoryview


def mapped(path: Path) -> memoryview:
    """The bytes of a file, fetched from the disk as they are looked at."""
    with path.open("rb") as file:
        try:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except ValueError:  # an empty file cannot be mapped
            return memoryview(b"")


def varint(view: memoryview, start: int) -> tuple[int, int]:
    """A number of variable length, and where the next byte is.

    Raises:
        Fault: it does not end, or needs more than 64 bits.
    """
    value = shift = 0
    for position in range(start, min(start + 10, len(view))):
        byte = view[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return value, position + 1
        shift += 7
    raise Fault(f"{_CUT}the number at byte {start} does not end")


def fields(view: memoryview) -> Iterator[tuple[int, int, Value]]:
    """The fields of a message in order: number, wire type, value (bytes as a view; fixed numbers as their bits).

    Raises:
        Fault: a field reaches beyond the message, or is of a kind that no format here has.
    """
    position = count = 0
    while position < len(view):
        count += 1
        if count > MOST_FIELDS:
            raise Fault(f"has more than {MOST_FIELDS:,} fields in one message")
        start = position
        tag, position = varint(view, position)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 2**29:
            raise Fault(f"{_CUT}field {number} at byte {start} of a message")
        if wire == VARINT:
            value, position = varint(view, position)
            yield number, wire, value
            continue
        if wire == BYTES:
            length, position = varint(view, position)
        elif wire in (FIXED32, FIXED64):
            length = 4 if wire == FIXED32 else 8
        else:
            raise Fault(f"{_CUT}wire type {wire} at byte {start} of a message")
        if length > len(view) - position:
            raise Fault(f"{_CUT}field {number} has {length:,} bytes, and {len(view) - position:,} are left")
        content = view[position : position + length]
        position += length
        yield number, wire, content if wire == BYTES else int.from_bytes(content, "little")


class Message:
    """A message whose fields are asked for by number.

    Args:
        view: its bytes.

    Raises:
        Fault: it is none.
    """

    def __init__(self, view: memoryview) -> None:
        self._fields: dict[int, list[tuple[int, Value]]] = {}
        for number, wire, value in fields(view):
            self._fields.setdefault(number, []).append((wire, value))

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    def blobs(self, number: int) -> list[memoryview]:
        """The values of a repeated field of bytes, text or messages."""
        found = []
        for wire, value in self._fields.get(number, ()):
            if not isinstance(value, memoryview):
                raise Fault(f"{_CUT}field {number} has wire type {wire} instead of {BYTES}")
            found.append(value)
        return found

    def blob(self, number: int) -> memoryview | None:
        """The value of a field of bytes; of several the last, as the format wants it."""
        found = self.blobs(number)
        return found[-1] if found else None

    def messages(self, number: int) -> Iterator[Message]:
        """The messages in a repeated field."""
        return (Message(view) for view in self.blobs(number))

    def message(self, number: int) -> Message:
        """The message in a field; an empty one if there is none."""
        found = self.blob(number)
        return Message(memoryview(b"") if found is None else found)

    def texts(self, number: int) -> list[str]:
        """The values of a repeated field of text."""
        return [text(view) for view in self.blobs(number)]

    def text(self, number: int) -> str:
        """A field of text; "" if there is none."""
        found = self.blob(number)
        return "" if found is None else text(found)

    def integers(self, number: int) -> list[int]:
        """The signed numbers of a repeated field, packed or not."""
        found: list[int] = []
        for wire, value in self._fields.get(number, ()):
            if isinstance(value, memoryview):
                if len(value) > 10 * MOST_INTEGERS:
                    raise Fault(f"has a list of sizes of {len(value):,} bytes")
                found += varints(value).tolist()
            elif wire == VARINT:
                found.append(_signed(value))
            else:
                raise Fault(f"{_CUT}field {number} has wire type {wire} instead of {VARINT}")
            if len(found) > MOST_INTEGERS:
                raise Fault(f"has a list of more than {MOST_INTEGERS:,} sizes")
        return found

    def integer(self, number: int, default: int = 0) -> int:
        """A signed number."""
        found = self.integers(number)
        return found[-1] if found else default

    def fixed32(self, number: int) -> int:
        """Four bytes as an unsigned number."""
        wire, value = self._fields.get(number, [(FIXED32, 0)])[-1]
        if wire != FIXED32 or isinstance(value, memoryview):
            raise Fault(f"{_CUT}field {number} has wire type {wire} instead of {FIXED32}")
        return value

    def array(self, number: int, dtype: str) -> NDArray[np.generic]:
        """The numbers of a repeated field as an array: "<f4" and "<f8" of fixed size, everything else of variable size."""
        dtype_ = np.dtype(dtype)
        fixed = {"<f4": FIXED32, "<f8": FIXED64}.get(dtype)
        parts: list[NDArray[np.generic]] = []
        single: list[int] = []
        for wire, value in self._fields.get(number, ()):
            if isinstance(value, memoryview):
                if single:
                    parts, single = [*parts, _unpacked(single, dtype_, fixed)], []
                if fixed and len(value) % dtype_.itemsize:
                    raise Fault(f"{_CUT}field {number} has {len(value):,} bytes, no multiple of {dtype_.itemsize}")
                parts.append(np.frombuffer(value, dtype_) if fixed else _narrow(varints(value), dtype_))
            elif wire == (fixed or VARINT):
                single.append(value)
            else:
                raise Fault(f"{_CUT}field {number} has wire type {wire}")
        if single:
            parts.append(_unpacked(single, dtype_, fixed))
        return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0, dtype_)


def varints(view: memoryview) -> NDArray[np.int64]:
    """All the numbers of variable length in a packed field.

    Raises:
        Fault: the last does not end, or one needs more than 64 bits.
    """
    data = np.frombuffer(view, np.uint8)
    ends = np.flatnonzero(data < 0x80)
    if not len(data):
        return np.empty(0, np.int64)
    if not len(ends) or ends[-1] != len(data) - 1:
        raise Fault(f"{_CUT}the last number of a packed field does not end")
    starts = np.concatenate([[0], ends[:-1] + 1])
    longest = int((ends - starts).max()) + 1
    if longest > 10:
        raise Fault(f"{_CUT}a number of {longest} bytes")
    found = np.zeros(len(ends), np.uint64)
    for i in range(longest):
        still = np.flatnonzero(starts + i <= ends)
        found[still] |= (data[starts[still] + i].astype(np.uint64) & np.uint64(0x7F)) << np.uint64(7 * i)
    return found.view(np.int64)


def text(view: memoryview) -> str:
    """Text; whatever is no UTF-8 in it is escaped, so that two names that differ stay different."""
    return str(view, "utf-8", "backslashreplace")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _narrow(values: NDArray[np.int64], dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    return values.astype(dtype)  # wraps around, as the format has it


def _unpacked(values: list[int], dtype: np.dtype[np.generic], fixed: int | None) -> NDArray[np.generic]:
    if fixed:
        return np.array(values, f"<u{dtype.itemsize}").view(dtype)
    return _narrow(np.array(values, np.uint64).view(np.int64), dtype)


# --- writing


def encode_varint(value: int) -> bytes:
    """A number of variable length; negative ones as 64 bits."""
    value &= 2**64 - 1
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def encode(number: int, value: int | str | bytes) -> bytes:
    """A field: a number of variable length, or text, bytes or a message."""
    if isinstance(value, int):
        return encode_varint(number << 3 | VARINT) + encode_varint(value)
    data = value.encode() if isinstance(value, str) else value
    return encode_varint(number << 3 | BYTES) + encode_varint(len(data)) + data


def encode_fixed32(number: int, value: int) -> bytes:
    """A field of four bytes."""
    return encode_varint(number << 3 | FIXED32) + struct.pack("<I", value)


def encode_packed(number: int, values: Iterable[int]) -> bytes:
    """A packed field of numbers of variable length."""
    return encode(number, b"".join(encode_varint(value) for value in values))
