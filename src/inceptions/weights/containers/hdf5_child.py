"""Reads one HDF5 file in a process of its own, and hands its arrays to the parent through standard output.

The HDF5 library is a large program in C that trusts its files: a damaged one can crash it, or keep it busy for ever. Here it
can only lose this process, which has a limit for everything: memory, time, and no file but the one.

Run as a script, so that it starts without the rest of the package. Output: the length of a JSON document in eight bytes, the
document, then the arrays it lists, little-endian, one after the other.
"""

from __future__ import annotations

import codecs
import json
import os
import struct
import sys
from typing import Any, BinaryIO

import h5py
import numpy as np

MEMORY = 2 * 2**30
SECONDS = 5
MOST_OBJECTS = 100_000
MOST_DEPTH = 64
# What Keras writes; attributes of other names may be large or strange, and are not needed.
ATTRIBUTES = ("layer_names", "weight_names", "backend", "keras_version", "model_config", "name", "dtype")


class Refused(Exception):
    """What is wrong with the file, as the rest of a sentence."""


def limit(size: int) -> None:
    """Take no more memory and time than a file of that size needs."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock remains
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + size // 2**24, SECONDS + size // 2**24))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY + 3 * size, MEMORY + 3 * size))


def close_the_door() -> None:
    """Open no further file: links to others cannot be followed, whatever form they take."""
    try:
        import resource
    except ImportError:
        return
    for encoding in ("ascii", "utf-8", "latin-1"):
        codecs.lookup(encoding)  # which Python imports when it first meets them
    spare = os.open(os.devnull, os.O_RDONLY)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, spare))


def survey(file: Any, size: int) -> dict[str, Any]:
    """Everything but the numbers: groups and arrays by path, in order, and the attributes that matter."""
    found: dict[str, Any] = {"groups": [], "arrays": [], "attributes": {}}
    seen = {h5py.h5o.get_info(file.id).addr}
    pending = [("", file, 0)]
    total = 0
    while pending:
        path, group, depth = pending.pop()
        found["attributes"][path] = attributes(group)
        inner = []
        for name in group:
            full = f"{path}/{name}".lstrip("/")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise Refused(f"has a link at {full} to another place or file; links are not followed")
            address = h5py.h5o.get_info(group.id, name.encode()).addr
            if address in seen:
                raise Refused(f"has {full} in two places")
            seen.add(address)
            if len(seen) > MOST_OBJECTS or depth > MOST_DEPTH:
                raise Refused("has more groups or arrays than any network")
            if group.get(name, getclass=True) is h5py.Group:
                found["groups"].append(full)
                inner.append((full, group[name], depth + 1))
            elif group.get(name, getclass=True) is h5py.Dataset:
                entry = describe(group[name], full)
                total += entry["bytes"]
                if total > size:
                    raise Refused(f"says that it holds {total:,} bytes of arrays, and has {size:,}")
                found["arrays"].append(entry)
        pending += reversed(inner)
    return found


def describe(array: Any, path: str) -> dict[str, Any]:
    """Type, shape and size of an array that is plainly there."""
    how = array.id.get_create_plist()
    if array.is_virtual or how.get_external_count():
        raise Refused(f"keeps {path} in another file; that is not followed")
    if how.get_nfilters():
        raise Refused(f"has {path} compressed or filtered, which Keras never does")
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8 or array.shape is None:
        if array.shape is None or array.dtype.kind in "SO":
            return {"path": path, "type": None, "shape": [], "bytes": 0}
        raise Refused(f"has {path} of type {array.dtype}, which is no type of weights")
    count = int(np.prod([int(n) for n in array.shape], dtype=object)) * array.dtype.itemsize
    if array.id.get_storage_size() < count:
        raise Refused(f"says that {path} has the shape {list(array.shape)}, and does not hold that many numbers")
    kind = array.dtype.newbyteorder("<").str
    return {"path": path, "type": kind, "shape": list(array.shape), "bytes": count}


def attributes(group: Any) -> dict[str, Any]:
    """The attributes that matter, as text, numbers and lists of them."""
    found = {}
    for name in group.attrs:
        if name.rstrip("0123456789") in ATTRIBUTES:
            value = group.attrs[name]
            found[name] = [text(one) for one in value.tolist()] if isinstance(value, np.ndarray) else text(value)
    return found


def text(value: Any) -> Any:
    """A value that JSON knows."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value if isinstance(value, int | float) else str(value)


def answer(path: str, out: BinaryIO) -> None:
    """Read a file and write all that is said of it; of one that is refused, the reason."""
    try:
        size = os.path.getsize(path)  # noqa: PTH202 (starts without pathlib)
        with h5py.File(path, "r", libver=("earliest", "latest"), locking=False) as file:
            close_the_door()
            found = survey(file, size)
            document = json.dumps(found).encode()
            out.write(struct.pack("<Q", len(document)) + document)
            for entry in found["arrays"]:
                if entry["type"] is not None:
                    values = np.empty(entry["shape"], entry["type"])
                    if values.size:
                        file[entry["path"]].read_direct(values)
                    out.write(values.tobytes())
    except Refused as error:
        refuse(str(error), out)
    except Exception as error:
        refuse(f"cannot be read by the HDF5 library ({str(error)[:200]})", out)


def refuse(reason: str, out: BinaryIO) -> None:
    """Say what is wrong; if the arrays have begun, by ending too early."""
    document = json.dumps({"fault": reason}).encode()
    out.write(struct.pack("<Q", len(document)) + document)


if __name__ == "__main__":
    limit(os.path.getsize(sys.argv[1]))  # noqa: PTH202
    answer(sys.argv[1], sys.stdout.buffer)
    sys.stdout.buffer.flush()
    # Without the library's tidying up, which a damaged file can crash as well.
    os._exit(0)
