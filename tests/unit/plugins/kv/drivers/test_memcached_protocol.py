"""memcached's replies, whole, byte by byte and in any pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.plugins.kv.drivers.memcached_protocol import BadReply, Reply, ReplyReader, key_bytes, store
from pyroadrunner.remote.errors import StoreError

CASES: list[tuple[bytes, list[Reply]]] = [
    (b"STORED\r\n", [b"STORED"]),
    (b"STORED\r\nNOT_STORED\r\n41\r\n", [b"STORED", b"NOT_STORED", b"41"]),
    (b"END\r\n", [{}]),
    (b"VALUE k 0 3\r\nabc\r\nEND\r\n", [{b"k": b"abc"}]),
    (b"VALUE k 0 0\r\n\r\nVALUE l 7 2 99\r\nxy\r\nEND\r\nOK\r\n", [{b"k": b"", b"l": b"xy"}, b"OK"]),
    (b"VALUE k 0 12\r\nEND\r\nSTORED\r\r\nEND\r\n", [{b"k": b"END\r\nSTORED\r"}]),
    (b"STAT pid 7\r\nSTAT version 1.6 x\r\nEND\r\n", [{b"pid": b"7", b"version": b"1.6 x"}]),
    (b"VALUE k 0 1\r\na\r\nSERVER_ERROR out of memory\r\nEND\r\n", [b"SERVER_ERROR out of memory", {}]),
]


@pytest.mark.parametrize(("data", "replies"), CASES)
def test_replies_are_split_correctly_at_any_boundary(data: bytes, replies: list[Reply]) -> None:
    assert ReplyReader().feed(data) == replies
    for size in (1, 2, 3, 7):
        reader, found = ReplyReader(), list[Reply]()
        for at in range(0, len(data), size):
            found += reader.feed(data[at : at + size])
        assert found == replies
    half = ReplyReader()
    assert half.feed(data[:-1]) == replies[:-1]


@given(st.dictionaries(st.binary(min_size=1, max_size=9).map(lambda key: key.hex().encode()), st.binary()), st.data())
def test_any_value_is_returned(values: dict[bytes, bytes], data: st.DataObject) -> None:
    sent = b"".join(b"VALUE %b 0 %d\r\n%b\r\n" % (key, len(value), value) for key, value in values.items()) + b"END\r\n"
    at = data.draw(st.integers(0, len(sent)))
    reader = ReplyReader()
    assert reader.feed(sent[:at]) + reader.feed(sent[at:]) == [values]


@pytest.mark.parametrize("data", [b"VALUE k 0\r\n", b"VALUE k 0 -1\r\n", b"VALUE k 0 x\r\n", b"\x15\x08" * 4000])
def test_malformed_replies_are_refused(data: bytes) -> None:
    with pytest.raises(BadReply):
        ReplyReader().feed(data)


@pytest.mark.parametrize("key", ["", " ", "a b", "a\r\nflush_all", "a\n", "a\0", "a\x7f", "x" * 251, "я" * 126])
def test_a_key_that_could_inject_a_command_is_refused(key: str) -> None:
    with pytest.raises(StoreError, match="malformed: key is too long or contains invalid characters"):
        key_bytes(key)


@pytest.mark.parametrize("key", ["a", "x" * 250, "я" * 125, "a:b{c}"])
def test_other_keys_are_accepted(key: str) -> None:
    assert key_bytes(key) == key.encode()


def test_a_value_is_sent_with_its_length() -> None:
    assert store(b"set", b"k", b"a\r\nb", 5) == b"set k 0 5 4\r\na\r\nb\r\n"
