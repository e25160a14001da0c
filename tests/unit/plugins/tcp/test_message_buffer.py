"""The delimiter is looked for at the end of all that has arrived."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.tcp.message_buffer import MessageBuffer

CASES = [
    (b"\r\n", b"a\r\n", [b"a\r\n"]),
    (b"\r\n", b"a\r\nb\r\n", [b"a\r\nb\r\n"]),  # what arrives together is one message
    (b"\r\n", b"a\r\nb", []),
    (b"\r\n", b"\r\n", [b"\r\n"]),
    (b"\r\n", b"\r", []),
    (b"\n", b"\n", [b"\n"]),
    (b"--end--", b"x--end--", [b"x--end--"]),
    (b"--end--", b"x--end-", []),
    ("ü".encode(), "ü".encode(), ["ü".encode()]),
]


@pytest.mark.parametrize(("delimiter", "data", "messages"), CASES)
def test_a_message_ends_with_the_delimiter(delimiter: bytes, data: bytes, messages: list[bytes]) -> None:
    buffer = MessageBuffer(delimiter)
    buffer.add(data)
    taken = buffer.take()
    assert ([bytes(taken)] if taken is not None else []) == messages
    assert len(buffer) == (0 if messages else len(data))


@pytest.mark.parametrize(("delimiter", "data", "messages"), CASES)
def test_the_bytes_may_arrive_one_by_one(delimiter: bytes, data: bytes, messages: list[bytes]) -> None:
    """Then each delimiter ends a message, also one that arrives in two pieces."""
    buffer = MessageBuffer(delimiter)
    taken: list[bytes] = []
    for at in range(len(data)):
        buffer.add(data[at : at + 1])
        if (message := buffer.take()) is not None:
            taken.append(bytes(message))
    expected = [part + delimiter for part in data.split(delimiter)[:-1]]
    assert taken == expected
    assert b"".join(taken) + bytes(buffer.take_rest() or b"") == data


def test_the_rest_is_taken_without_a_delimiter_and_nothing_is_none() -> None:
    buffer = MessageBuffer(b"\r\n")
    assert buffer.take_rest() is None
    buffer.add(b"half")
    assert buffer.take() is None
    assert buffer.take_rest() == b"half"
    assert buffer.take_rest() is None


def test_a_taken_message_does_not_change_when_more_arrives() -> None:
    buffer = MessageBuffer(b"\n")
    buffer.add(b"a")
    buffer.add(b"b\n")
    taken = buffer.take()
    buffer.add(b"c\n")
    assert taken == b"ab\n"
    assert buffer.take() == b"c\n"
