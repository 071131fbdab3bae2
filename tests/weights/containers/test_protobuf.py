"""The wire format against google's own implementation, and against hostile bytes."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from google.protobuf import descriptor_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from inceptions.weights.containers import protobuf
from inceptions.weights.containers.checkpoint import Fault
from inceptions.weights.containers.protobuf import Message, encode, encode_packed, encode_varint, fields, varint, varints

SIGNED = st.integers(-(2**63), 2**63 - 1)


def message(data: bytes) -> Message:
    return Message(memoryview(data))


@given(st.integers(0, 2**64 - 1))
def test_a_number_survives(value: int) -> None:
    data = encode_varint(value)
    assert varint(memoryview(data), 0) == (value, len(data))


@given(st.lists(SIGNED))
def test_packed_numbers_survive(values: list[int]) -> None:
    found = message(encode_packed(3, values))
    assert found.integers(3) == values
    assert found.array(3, "<i8").tolist() == values
    assert found.array(3, "<u1").tolist() == [value % 256 for value in values]


@given(st.lists(st.lists(SIGNED, max_size=4)))
def test_packed_or_not_or_both(parts: list[list[int]]) -> None:
    data = b"".join(encode(3, part[0]) if len(part) == 1 else encode_packed(3, part) for part in parts)
    expected = [value for part in parts for value in part]
    assert message(data).integers(3) == expected
    assert message(data).array(3, "<i8").tolist() == expected


@settings(max_examples=30)
@given(st.text(), st.lists(st.text()), st.floats(width=64, allow_nan=False), st.integers(-(2**63), -1), st.binary())
def test_what_google_writes(name: str, parts: list[str], number: float, negative: int, content: bytes) -> None:
    option = descriptor_pb2.UninterpretedOption(
        identifier_value=name,
        name=[descriptor_pb2.UninterpretedOption.NamePart(name_part=part, is_extension=False) for part in parts],
        double_value=number,
        negative_int_value=negative,
        string_value=content,
    )
    found = message(option.SerializeToString())
    assert found.text(3) == name
    assert [part.text(1) for part in found.messages(2)] == parts
    assert found.array(6, "<f8").tolist() == [number]
    assert found.integer(5) == negative
    assert bytes(found.blob(7)) == content
    assert 8 not in found
    assert (found.text(8), found.integer(8, 7), found.blob(8), found.fixed32(9)) == ("", 7, None, 0)


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = list(fields(memoryview(data)))
    except Fault:
        return
    assert sum(len(value) if isinstance(value, memoryview) else 1 for *_, value in found) <= len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        b"\xff" * 11,
        b"\xff" * 9 + b"\x02",
        b"\x00\x01",
        b"\x0a\x05abcd",
        b"\x0d\x00\x00",
        b"\x0b\x0c",
        b"\x0e",
        b"\x0a" + b"\xff" * 8 + b"\x7f",
    ],
    ids=["open", "endless", "65 bits", "field 0", "short", "short number", "group", "type 6", "absurd"],
)
def test_damaged_messages(data: bytes) -> None:
    with pytest.raises(Fault):
        message(data)


def test_the_wrong_kind_of_field() -> None:
    for read in (Message.texts, Message.fixed32, lambda one, number: one.array(number, "<f4")):
        with pytest.raises(Fault):
            read(message(encode(1, 5)), 1)
    with pytest.raises(Fault, match="no multiple of 4"):
        message(encode(1, b"abc")).array(1, "<f4")
    with pytest.raises(Fault):
        message(b"\x0d" + struct.pack("<f", 1)).integers(1)


def test_packed_numbers_that_are_none() -> None:
    for data in (b"\x80", b"\x01\x80", b"\x80" * 10 + b"\x01"):
        with pytest.raises(Fault):
            varints(memoryview(data))
    assert len(varints(memoryview(b""))) == 0


def test_names_that_are_no_text_stay_different() -> None:
    assert message(encode(1, b"a\xff")).text(1) != message(encode(1, b"a\xfe")).text(1)


def test_a_message_of_too_many_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MOST_FIELDS", 100)
    message(b"\x08\x01" * 100)
    with pytest.raises(Fault, match="more than 100 fields"):
        message(b"\x08\x01" * 101)


def test_numbers_of_eight_bytes() -> None:
    data = b"\x09" + struct.pack("<d", 0.5) + encode(1, struct.pack("<2d", 1.5, 2.5))
    assert np.array_equal(message(data).array(1, "<f8"), [0.5, 1.5, 2.5])
