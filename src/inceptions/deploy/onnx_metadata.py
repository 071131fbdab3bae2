"""The metadata of an ONNX file, read without any library and without its weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from inceptions.errors import WeightsError

# Fields of a ModelProto and of a StringStringEntryProto, and how protobuf says what follows a field's number.
GRAPH, METADATA, KEY, VALUE = 7, 14, 1, 2
VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
LARGEST_ENTRY = 16 * 2**20


def read_metadata(path: Path) -> dict[str, str]:
    """What an ONNX file says about itself.

    Raises:
        WeightsError: there is no such file, or it is no ONNX file, or it was cut off.
    """
    if not path.is_file():
        raise WeightsError(f"There is no file {path}.")
    found: dict[str, str] = {}
    graph = False
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            while file.tell() < size:
                number, length = _field(file, size)
                if number == METADATA and length <= LARGEST_ENTRY:
                    key, value = _entry(file, file.tell() + length)
                    found[key] = value
                else:
                    graph = graph or (number == GRAPH and length > 0)
                    file.seek(length, os.SEEK_CUR)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise WeightsError(f"{path} is no ONNX file, or was cut off. Export it again.") from error
    if not graph:
        raise WeightsError(f"{path} is no ONNX file: it holds no network.")
    return found


def _field(file: BinaryIO, end: int) -> tuple[int, int]:
    """Number of the next field, and how many bytes of content follow."""
    key = _varint(file)
    number, kind = key >> 3, key & 7
    match kind:
        case 0:
            _varint(file)
            length = 0
        case 1:
            length = 8
        case 2:
            length = _varint(file)
        case 5:
            length = 4
        case _:
            raise ValueError("no such kind of field")
    if number == 0 or file.tell() + length > end:
        raise ValueError("a field that ends behind the file")
    return number, length


def _entry(file: BinaryIO, end: int) -> tuple[str, str]:
    """One key and its value."""
    texts = {KEY: "", VALUE: ""}
    while file.tell() < end:
        number, length = _field(file, end)
        texts[number] = file.read(length).decode("utf-8")
    return texts[KEY], texts[VALUE]


def _varint(file: BinaryIO) -> int:
    """A whole number in groups of seven bits, the lowest first."""
    value = 0
    for shift in range(0, 64, 7):
        (byte,) = file.read(1)
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
    raise ValueError("a number that does not end")
