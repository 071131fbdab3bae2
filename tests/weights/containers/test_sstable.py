"""Tables and their checksums."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inceptions.weights.containers.checkpoint import Fault
from inceptions.weights.containers.crc32c import crc32c, masked
from inceptions.weights.containers.protobuf import encode_varint
from inceptions.weights.containers.sstable import LONGEST_KEY, MAGIC, entries, table


def test_checksums_of_the_standard() -> None:
    # RFC 3720, appendix B.4
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"") == 0


def test_long_checksums_are_those_of_one_byte_after_the_other() -> None:
    data = random.Random(0).randbytes(70_000)
    state = 0xFFFFFFFF
    for count, byte in enumerate(data, 1):
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
        if count in (1, 15, 16, 255, 256, 257, 1000, 65_535, 65_536, 69_999, 70_000):
            assert crc32c(data[:count]) == state ^ 0xFFFFFFFF


@given(st.dictionaries(st.binary(max_size=40), st.binary(max_size=3000), max_size=20))
def test_a_table_survives(content: dict[bytes, bytes]) -> None:
    items = sorted(content.items())
    assert [(key, bytes(value)) for key, value in entries(memoryview(table(items)))] == items


def test_no_table() -> None:
    for data in (b"", MAGIC, bytes(48), bytes(40) + MAGIC, b"\xff" * 40 + MAGIC):
        with pytest.raises(Fault):
            list(entries(memoryview(data)))


def test_every_damaged_byte_is_noticed_or_does_not_matter() -> None:
    items = [(b"a", b"1" * 50), (b"ab", b"2" * 50), (b"b", b"3" * 50)]
    data = table(items)
    for i in range(len(data)):
        broken = bytearray(data)
        broken[i] ^= 0x10
        try:
            found = [(key, bytes(value)) for key, value in entries(memoryview(broken))]
        except Fault:
            continue
        assert found == items, i


def test_keys_out_of_order() -> None:
    with pytest.raises(Fault, match="out of order"):
        list(entries(memoryview(table([(b"b", b""), (b"a", b"")]))))


def test_keys_that_are_one_byte_more_than_the_last() -> None:
    """Each costs four bytes in the file, and its whole length in memory."""
    block, key = bytearray(), b""
    for i in range(60_000):
        # When a key is as long as it may be, the next begins anew, behind all that were.
        fresh = b"\0" if 0 < len(key) < LONGEST_KEY else struct.pack(">I", i)
        shared = len(key) if len(fresh) == 1 else 0
        key = key[:shared] + fresh
        block += encode_varint(shared) + encode_varint(len(fresh)) + encode_varint(0) + fresh
    content = bytes(block) + struct.pack("<II", 0, 1)
    handle = encode_varint(0) + encode_varint(len(content))
    index = encode_varint(0) + encode_varint(1) + encode_varint(len(handle)) + b"k" + handle + struct.pack("<II", 0, 1)
    data = b""
    for part in (content, index):
        data += part + b"\0" + struct.pack("<I", masked(part + b"\0"))
    place = encode_varint(len(content) + 5) + encode_varint(len(index))
    data += (place + place).ljust(40, b"\0") + MAGIC
    with pytest.raises(Fault, match="more than its size allows"):
        list(entries(memoryview(data)))
