"""Records and pairs: one table, encoded and decoded, whole and byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.plugins.http.protocols.fastcgi.records import (
    FastCgiError,
    Record,
    RecordReader,
    Status,
    Type,
    begin_request,
    end_request,
    read_pairs,
    record,
    stream,
    unknown_type,
    write_pairs,
)

RECORDS = {
    "an end of a stream": (record(Type.STDIN, 1), "0105000100000000"),
    "a piece of a body": (record(Type.STDOUT, 258, b"abc"), "0106010200030000616263"),
    "an end": (end_request(1, Status.CANT_MPX_CONN, 7), "01030001000800000000000701000000"),
    "an unknown type": (unknown_type(99), "010b0000000800006300000000000000"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_encoded_and_decoded(name: str) -> None:
    written, expected = RECORDS[name]
    assert written.hex() == expected
    [found] = RecordReader().feed(written)
    assert (found.type, found.id, found.content) == (written[1], int.from_bytes(written[2:4], "big"), written[8:])


def test_records_arrive_in_any_pieces_and_padding_is_dropped() -> None:
    data = b"".join(written for written, _ in RECORDS.values()) + bytes.fromhex("0105000100010700") + b"x" + b"\0" * 7
    whole = list(RecordReader().feed(data))
    assert whole[-1] == Record(Type.STDIN, 1, b"x")
    reader = RecordReader()
    assert [found for byte in data for found in reader.feed(bytes((byte,)))] == whole


def test_records_before_garbage_are_returned() -> None:
    reader = RecordReader()
    found = reader.feed(record(Type.STDIN, 1, b"x") + b"GET / HTTP/1.1\r\n")
    assert next(found).content == b"x"
    with pytest.raises(FastCgiError, match="version 71"):
        next(found)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 200_000])
def test_a_long_response_is_split_into_records(size: int) -> None:
    records = list(RecordReader().feed(stream(Type.STDOUT, 1, b"x" * size)))
    assert sum(len(one.content) for one in records) == size
    assert all(one.content for one in records)  # an empty record would end the stream


@given(st.dictionaries(st.binary(max_size=300), st.binary(max_size=300), max_size=5))
def test_pairs_are_encoded_and_decoded(pairs: dict[bytes, bytes]) -> None:
    assert read_pairs(write_pairs(pairs)) == pairs


@given(st.binary(max_size=64))
def test_garbage_is_an_error_or_decodes_to_pairs(data: bytes) -> None:
    try:
        pairs = read_pairs(data)
    except FastCgiError:
        return
    assert sum(len(name) + len(value) for name, value in pairs.items()) <= len(data)


@pytest.mark.parametrize(
    "data", ["01", "0102", "010261", "80", "80000001", "ffffffffffffffff61", "80000001800000016162"]
)
def test_a_truncated_pair_is_an_error(data: str) -> None:
    if data.endswith("6162"):
        assert read_pairs(bytes.fromhex(data)) == {b"a": b"b"}
        return
    with pytest.raises(FastCgiError, match="truncated"):
        read_pairs(bytes.fromhex(data))


def test_a_begin_request_has_a_role_and_flags() -> None:
    assert begin_request(bytes.fromhex("0001010000000000")) == (1, 1)
    with pytest.raises(FastCgiError):
        begin_request(b"\0\1")
