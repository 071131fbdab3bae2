"""NumPy's own files: one array (.npy), or several in a zip archive (.npz); never objects, which would be pickles."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from torch import Tensor

from inceptions.files import replacing
from inceptions.weights.containers import zips
from inceptions.weights.containers.checkpoint import Fault, first_line
from inceptions.weights.containers.values import NUMBERS, checked_shape, from_array, plain

MAGIC = b"\x93NUMPY"
# The header is a Python literal, which NumPy takes apart as Python does.
_NO_HEADER = (ValueError, SyntaxError, TokenError)
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read(path: Path, *, zipped: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The arrays by their names; a single one is called "".

    Raises:
        Fault: it is damaged, holds objects, or says that it holds more than it has.
    """
    if not zipped:
        with path.open("rb") as file:
            return {"": _array(file, path.stat().st_size, "the array")}, {}
    tensors: dict[str, Tensor] = {}
    with zips.opened(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name == member.filename:
                raise Fault(f"is a zip archive with {name} in it, which is no array", "Give the weight file itself.")
            with archive.open(member) as file:
                tensors[name] = _array(file, member.file_size, name)
    return tensors, {}


def write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write an archive of arrays, not compressed.

    Raises:
        Fault: NumPy has no such type of number.
    """
    arrays = {name: plain(tensor) for name, tensor in tensors.items()}
    with replacing(path) as temporary, temporary.open("wb") as file:
        # The names are arguments there, and one of them is taken: `file`.
        if "file" in arrays:
            raise Fault('cannot hold a tensor of the name "file"', "Choose safetensors or pytorch.")
        np.savez(file, allow_pickle=False, **arrays)


def _array(file: IO[bytes], size: int, name: str) -> Tensor:
    try:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise Fault(f"has {name} in version {version} of NumPy's format", "Save it again with numpy.save.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers written by Python 2
            shape, backwards, dtype = _HEADERS[version](file)
    except (*_NO_HEADER, EOFError, RecursionError, MemoryError, TypeError, KeyError, OverflowError) as error:
        raise Fault(f"has {name}, which is no array of NumPy: {first_line(error)}") from error
    if dtype.str[1:] not in NUMBERS:
        what = "objects, which would be pickles" if dtype.hasobject else f"{dtype}"
        raise Fault(f"has {name} of {what}", "Save arrays of float32.")
    shape = checked_shape(shape, name)
    need = prod(shape) * dtype.itemsize
    if need > size:
        raise Fault(f"says that {name} has {need:,} bytes, and holds {size:,}")
    data = file.read(need)
    if len(data) != need or file.read(1):
        raise Fault(f"holds more or fewer bytes for {name} than its shape {list(shape)} needs")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if backwards else "C")
    return from_array(array, shape, name)
