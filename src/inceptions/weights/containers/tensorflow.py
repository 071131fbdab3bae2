"""TensorFlow's checkpoints, read without TensorFlow: bundles (V2: an index beside shards of data) and single files (V1).

tensorflow/core/protobuf/tensor_bundle.proto and core/util/saved_tensor_slice.proto. TF-slim published its checkpoints of 2016
in the old format. Both are tables of LevelDB's format, whose first key is the empty one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from inceptions.files import write_bytes
from inceptions.weights.containers.checkpoint import Fault
from inceptions.weights.containers.crc32c import masked
from inceptions.weights.containers.protobuf import BYTES, VARINT, Message, encode, encode_fixed32, fields, mapped, text
from inceptions.weights.containers.sstable import entries, table
from inceptions.weights.containers.tensorproto import (
    TYPES,
    assembled,
    encode_shape,
    extents,
    shape_of,
    slices,
    tensor_of,
    type_of,
)
from inceptions.weights.containers.values import Budget, from_bytes

INDEX = ".index"
_DATA = re.compile(r"\.data-\d{5}-of-\d{5}$")
_STATE = re.compile(r'^\s*model_checkpoint_path:\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)
_MOST_SHARDS = 99_999
_ESCAPED = {0x00: b"\0\xff", 0xFF: b"\xff\0"}
_SAVE_AGAIN = "Save it again with a plain tf.compat.v1.train.Saver."


def locate(path: Path) -> Path | None:
    """The file to begin with, whichever part of a checkpoint somebody names; None if the name is none of one.

    A folder stands for the checkpoint that its file `checkpoint` names, which must lie in the folder itself.

    Raises:
        Fault: it is a part of a checkpoint whose index is missing.
    """
    if path.is_dir() and (path / "checkpoint").is_file():
        return locate(path / "checkpoint")
    if path.is_file() and path.name == "checkpoint":
        with path.open("rb") as file:
            found = _STATE.search(file.read(65_536).decode("utf-8", "replace"))
        name = re.split(r"[/\\]", found[1])[-1] if found else ""
        return None if name in ("", ".", "..", path.name) else locate(path.with_name(name))
    if path.is_dir():
        return None
    stem = _DATA.sub("", path.name)
    index = path.with_name(stem + INDEX)
    if stem != path.name and path.is_file():
        if not index.is_file():
            raise Fault("is the data of a TensorFlow checkpoint without its index", f"Put {index.name} beside it.")
        return index
    if path.is_file():
        return path
    return index if index.is_file() else None


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    """The variables of a checkpoint, by their names; optimisers' slots and averages are among them.

    Args:
        path: the index of a bundle, or a file of the old format.

    Raises:
        Fault: it is no checkpoint, cut off, damaged, or a shard is missing.
    """
    contents = entries(mapped(path))
    key, head = next(contents, (None, memoryview(b"")))
    if key != b"":
        raise Fault("is a table of LevelDB, but no TensorFlow checkpoint")
    first = next(fields(head), (0, VARINT, 0))
    if first[0] == 1 and first[1] == BYTES:
        return _saved_slices(Message(head), contents, path.stat().st_size), {"version": 1}
    return _bundle(path, Message(head), dict(contents)), {"version": 2}


def _bundle(path: Path, header: Message, index: Mapping[bytes, memoryview]) -> dict[str, Tensor]:
    count = header.integer(1)
    if header.integer(2):
        raise Fault("was written on a big-endian machine", _SAVE_AGAIN)
    if not 0 < count <= _MOST_SHARDS:
        raise Fault(f"says that it has {count} shards")
    prefix = path.name.removesuffix(INDEX)
    shards: dict[int, memoryview] = {}
    spent = 0

    def stored(entry: Message, name: str, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
        nonlocal spent
        number, offset, size = entry.integer(3), entry.integer(4), entry.integer(5)
        if not 0 <= number < count:
            raise Fault(f"says that {name} is in shard {number} of {count}")
        file = path.with_name(f"{prefix}.data-{number:05d}-of-{count:05d}")
        if number not in shards:
            if not file.is_file():
                raise Fault(f"needs {file.name}, which is not beside it", "A checkpoint is all its files; fetch that one too.")
            shards[number] = mapped(file)
        if offset < 0 or size < 0 or offset + size > len(shards[number]):
            raise Fault(f"says that {name} ends at byte {offset + size:,} of {file.name}, which has {len(shards[number]):,}")
        spent += size
        if spent > sum(len(shard) for shard in shards.values()):
            raise Fault("uses the same bytes for several tensors")
        data = shards[number][offset : offset + size]
        tensor = from_bytes(data, dtype, shape, name)
        if 6 in entry and masked(data) != entry.fixed32(6):
            raise Fault(f"is damaged: the checksum of {name} in {file.name} is wrong")
        return tensor

    tensors: dict[str, Tensor] = {}
    for key, value in index.items():
        if key.startswith(b"\0"):  # a slice of a partitioned variable
            continue
        entry, name = Message(value), text(memoryview(key))
        dtype = type_of(entry.integer(1), name)
        if dtype is None:  # strings: the object graph of TensorFlow 2
            continue
        shape = shape_of(entry.message(2), name)
        if 7 not in entry:
            tensors[name] = stored(entry, name, dtype, shape)
            continue
        # The keys of the slices are sorted as the places are, so that their numbers need not be decoded.
        places = sorted(extents(one, len(shape)) for one in entry.messages(7))
        start = b"\0" + b"".join(_ESCAPED.get(byte, bytes([byte])) for byte in key) + b"\0\x01"
        found = [Message(other) for inner, other in index.items() if inner.startswith(start)]
        if len(found) != len(places):
            raise Fault(f"has {len(found)} of the {len(places)} slices of {name}")
        parts = [
            (place, stored(part, name, dtype, shape_of(part.message(2), name)))
            for place, part in zip(places, found, strict=True)
        ]
        tensors[name] = assembled(parts, shape, name)
    return tensors


def _saved_slices(header: Message, contents: Iterable[tuple[bytes, memoryview]], size: int) -> dict[str, Tensor]:
    """The variables of a file of the old format."""
    declared: dict[str, tuple[torch.dtype, tuple[int, ...]]] = {}
    for one in header.message(1).messages(1):
        name = one.text(1)
        dtype = type_of(one.integer(3), name)
        if dtype is not None:
            declared[name] = (dtype, shape_of(one.message(2), name))
    budget = Budget(size)
    parts: dict[str, list[tuple[list[tuple[int, int]], Tensor]]] = {name: [] for name in declared}
    for _, value in contents:
        data = Message(value).message(2)
        name = data.text(1)
        if name not in declared:
            continue
        dtype, shape = declared[name]
        place = extents(data.message(2), len(shape))
        region = slices(place, shape, name)
        part = tuple(len(range(*one.indices(full))) for one, full in zip(region, shape, strict=True))
        parts[name].append((place, tensor_of(data.message(3), name, dtype, part, budget)))
    return {name: assembled(parts[name], shape, name) for name, (_, shape) in declared.items()}


def write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a bundle of one shard that TensorFlow can restore; the data first, so that no index stands without them.

    Args:
        path: the index, "<prefix>.index", or the prefix.
        tensors: by name.

    Raises:
        Fault: TensorFlow has no such type of number, or a name is none.
    """
    numbers = {dtype: number for number, dtype in TYPES.items()}
    prefix = path.name.removesuffix(INDEX)
    data = bytearray()
    # Version 1 of the format of bundles; readers want the field.
    items = [(b"", encode(1, 1) + encode(3, encode(1, 1)))]
    for name, tensor in sorted((name.encode(), tensor) for name, tensor in tensors.items()):
        if tensor.dtype not in numbers or not name or name.startswith(b"\0"):
            raise Fault(f"cannot hold {name.decode()!r} of type {tensor.dtype}", "Choose safetensors or pytorch.")
        content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        entry = encode(1, numbers[tensor.dtype]) + encode(2, encode_shape(tensor.shape))
        entry += (encode(4, len(data)) if data else b"") + encode(5, len(content)) + encode_fixed32(6, masked(content))
        items.append((name, entry))
        data += content
    write_bytes(path.with_name(f"{prefix}.data-00000-of-00001"), bytes(data))
    write_bytes(path.with_name(prefix + INDEX), table(items))
