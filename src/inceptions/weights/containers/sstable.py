"""LevelDB's table format, in which TensorFlow keeps its checkpoints: sorted keys and values in blocks with checksums.

https://github.com/google/leveldb/blob/main/doc/table_format.md
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from inceptions.weights.containers.checkpoint import Fault
from inceptions.weights.containers.crc32c import masked
from inceptions.weights.containers.protobuf import encode_varint, varint
from inceptions.weights.containers.values import Budget

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
FOOTER = 48
TRAILER = 5  # of a block: how it is compressed, and a checksum
LONGEST_KEY = 4096
BLOCK = 4096

_PLAIN, _SNAPPY = 0, 1


def entries(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The keys and values of a table, in its order.

    Raises:
        Fault: it is cut off, a checksum is wrong, keys are out of order, or blocks are compressed.
    """
    if len(view) < FOOTER or view[-8:] != MAGIC:
        raise Fault("does not end as a TensorFlow checkpoint does")
    footer = view[-FOOTER:]
    _, position = _handle(footer, 0)
    index, _ = _handle(footer, position)
    last: bytes | None = None
    used = 0
    # A key may be one byte more than the key before it, so that keys can take far more memory than they take here.
    budget = Budget(len(view))
    for _, handle in _block(view, index):
        place, _ = _handle(handle, 0)
        used += place[1]
        if used > len(view):
            raise Fault("lists the same block more than once")
        for key, value in _block(view, place):
            if last is not None and key <= last:
                raise Fault(f"has keys out of order: {key!r} after {last!r}")
            last = key
            budget.spend(len(key), "the list of names")
            yield key, value


def table(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A table of keys and values.

    Args:
        items: in the order of their keys.
    """
    out = bytearray()
    index: list[tuple[bytes, bytes]] = []
    pending: list[tuple[bytes, bytes]] = []
    for item in items:
        pending.append(item)
        if sum(len(key) + len(value) for key, value in pending) >= BLOCK:
            index.append((pending[-1][0], _append(out, pending)))
            pending = []
    if pending or not index:
        index.append((pending[-1][0] if pending else b"", _append(out, pending)))
    footer = _append(out, []) + _append(out, index)
    return bytes(out) + footer.ljust(FOOTER - len(MAGIC), b"\0") + MAGIC


def _handle(view: memoryview, start: int) -> tuple[tuple[int, int], int]:
    offset, position = varint(view, start)
    size, position = varint(view, position)
    return (offset, size), position


def _block(view: memoryview, place: tuple[int, int]) -> Iterator[tuple[bytes, memoryview]]:
    """The entries of a block: keys share their beginnings with the key before them."""
    offset, size = place
    if offset + size + TRAILER > len(view) - FOOTER:
        raise Fault(f"is cut off: a block ends at byte {offset + size:,} of {len(view):,}")
    block = view[offset : offset + size]
    kind, checksum = struct.unpack("<BI", view[offset + size : offset + size + TRAILER])
    if checksum != masked(view[offset : offset + size + 1]):
        raise Fault(f"is damaged: the checksum of the block at byte {offset:,} is wrong")
    if kind != _PLAIN:
        what = "Snappy" if kind == _SNAPPY else f"method {kind}"
        raise Fault(
            f"has blocks that are compressed with {what}",
            "TensorFlow's own writers never compress; restore it with TensorFlow and save it again.",
        )
    (restarts,) = struct.unpack("<I", block[-4:]) if size >= 4 else (0,)
    end = size - 4 * (restarts + 1)
    if not restarts or end < 0:
        raise Fault(f"has a block at byte {offset:,} that is none")
    position = 0
    key = b""
    while position < end:
        shared, position = varint(block, position)
        fresh, position = varint(block, position)
        length, position = varint(block, position)
        if shared > len(key) or shared + fresh > LONGEST_KEY or fresh + length > end - position:
            raise Fault(f"has an entry that reaches beyond the block at byte {offset:,}")
        key = key[:shared] + bytes(block[position : position + fresh])
        position += fresh
        yield key, block[position : position + length]
        position += length


def _append(out: bytearray, items: list[tuple[bytes, bytes]]) -> bytes:
    """Put a block at the end; its place, encoded. Every key is written whole: readers must not care."""
    content = bytearray()
    restarts = []
    for key, value in items:
        restarts.append(len(content))
        content += encode_varint(0) + encode_varint(len(key)) + encode_varint(len(value)) + key + value
    restarts = restarts or [0]
    content += struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))
    place = encode_varint(len(out)) + encode_varint(len(content))
    content.append(_PLAIN)
    out += content + struct.pack("<I", masked(bytes(content)))
    return place
