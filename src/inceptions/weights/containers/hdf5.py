"""HDF5 files through a process that may die of them: see `hdf5_child`."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from pathlib import Path
from threading import Timer
from typing import IO, Any

import numpy as np
from torch import Tensor

from inceptions.errors import MachineError
from inceptions.weights.containers.checkpoint import Fault
from inceptions.weights.containers.values import NUMBERS, checked_shape, from_array

MAGIC = b"\x89HDF\r\n\x1a\n"
CHILD = Path(__file__).with_name("hdf5_child.py")
LARGEST_DOCUMENT = 64 * 2**20
SECONDS = 60
_CRASHED = "cannot be read: the HDF5 library broke down over it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What an HDF5 file holds, by path.

    Attributes:
        groups: in the order of the file, parents first.
        arrays: those of numbers.
        attributes: of the groups; "" is the file itself.
    """

    groups: tuple[str, ...]
    arrays: dict[str, Tensor]
    attributes: dict[str, dict[str, Any]]


def read(path: Path) -> Tree:
    """Read a file.

    Raises:
        MachineError: h5py is not installed.
        Fault: the file is damaged, links to others, or claims to hold more than it does.
    """
    if find_spec("h5py") is None:
        raise MachineError("Reading Keras's files needs h5py: pip install 'inceptions[keras]'.")
    size = path.stat().st_size
    with answered(path, SECONDS + size / 2**22) as stream:
        try:
            return received(stream, size)
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # not even its answer is one
            raise Fault(_CRASHED) from error


@contextmanager
def answered(path: Path, seconds: float) -> Iterator[IO[bytes]]:
    """Start the child on a file; yields what it answers, and ends it."""
    # -P: nothing in the script's folder or in the working directory is imported in place of a library.
    command = [sys.executable, "-P", str(CHILD), str(path.absolute())]
    environment = {**os.environ, "HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1"}
    nothing = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing, env=environment) as child:
        assert child.stdout is not None
        clock = Timer(seconds, child.kill)
        clock.start()
        try:
            yield child.stdout
        finally:
            clock.cancel()
            child.kill()


def received(stream: IO[bytes], size: int) -> Tree:
    """What the child says of a file.

    Args:
        stream: its standard output.
        size: of the file in bytes.

    Raises:
        Fault: the child refused the file, or died.
    """
    head = stream.read(8)
    length = struct.unpack("<Q", head)[0] if len(head) == 8 else LARGEST_DOCUMENT + 1
    document = stream.read(length) if length <= LARGEST_DOCUMENT else b""
    if len(document) != length:
        raise Fault(_CRASHED)
    found = json.loads(document)
    if "fault" in found:
        raise Fault(found["fault"])
    arrays: dict[str, Tensor] = {}
    for entry in found["arrays"]:
        name, kind = entry["path"], entry["type"]
        if kind is None:
            continue
        shape = checked_shape(entry["shape"], name)
        # The child has compared them with the size of the file; it may have been led astray.
        count = prod(shape) * np.dtype(kind).itemsize if kind[1:] in NUMBERS else size + 1
        data = stream.read(count) if count <= size else b""
        if len(data) != count:
            raise Fault(_CRASHED)
        arrays[name] = from_array(np.frombuffer(data, kind), shape, name)
    return Tree(groups=tuple(found["groups"]), arrays=arrays, attributes=found["attributes"])
