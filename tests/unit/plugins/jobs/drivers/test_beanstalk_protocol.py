"""beanstalkd's replies, read whole and byte by byte."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.jobs.drivers.beanstalk.protocol import Reply, ReplyReader, put, reserve
from pyroadrunner.remote.errors import StoreError

_STREAM = (
    b"INSERTED 7\r\nRESERVED 7 5\r\na\r\nbc\r\nTIMED_OUT\r\nOK 9\r\n---\na: 1\n\r\nRESERVED 8 0\r\n\r\nDELETED\r\n"
)
_REPLIES = [
    Reply(b"INSERTED", [b"7"]),
    Reply(b"RESERVED", [b"7", b"5"], b"a\r\nbc"),
    Reply(b"TIMED_OUT", []),
    Reply(b"OK", [b"9"], b"---\na: 1\n"),
    Reply(b"RESERVED", [b"8", b"0"], b""),
    Reply(b"DELETED", []),
]


def test_replies_in_one_piece() -> None:
    assert ReplyReader().feed(_STREAM) == _REPLIES


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_replies_in_pieces(size: int) -> None:
    reader = ReplyReader()
    found = [reply for at in range(0, len(_STREAM), size) for reply in reader.feed(_STREAM[at : at + size])]
    assert found == _REPLIES


def test_what_a_reply_tells() -> None:
    assert _REPLIES[1].number == 7
    assert _REPLIES[3].figures() == {"a": "1"}
    assert str(_REPLIES[1]) == "RESERVED 7 5"


@pytest.mark.parametrize("data", [b"RESERVED x y\r\n", b"OK\r\n", b"x" * 2000, b"OK 5 -1\r\n"])
def test_another_server(data: bytes) -> None:
    with pytest.raises(StoreError, match="does not speak"):
        ReplyReader().feed(data)


def test_commands() -> None:
    assert put(b"body", 1, 2, 3) == b"put 1 2 3 4\r\nbody\r\n"
    assert reserve(3, 5) == b"reserve-with-timeout 5\r\nreserve-with-timeout 0\r\nreserve-with-timeout 0\r\n"
