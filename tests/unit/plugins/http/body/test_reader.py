"""Request bodies: how they are assembled, and which are refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from pyroadrunner.asgi import Message
from pyroadrunner.plugins.http.body.reader import BodyLimits, BodyReader
from pyroadrunner.plugins.http.errors import ClientGone, RequestTooLarge, RequestTooSlow
from pyroadrunner.plugins.http.request import UNKNOWN_LENGTH

LIMITS = BodyLimits(max_body=10, idle_timeout=5.0, min_rate=2)


class Clock:
    """A fake clock: each call returns the next value."""

    def __init__(self, *seconds: float) -> None:
        self._seconds = list(seconds) or [0.0]

    def __call__(self) -> float:
        return self._seconds.pop(0) if len(self._seconds) > 1 else self._seconds[0]


def whole(messages: Iterable[Message], length: int = UNKNOWN_LENGTH, clock: Clock | None = None) -> bytes:
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    return asyncio.run(BodyReader(receive, LIMITS, length, clock or Clock()).read_all())


def piece(data: bytes, more: bool = True) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


GONE: Message = {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("messages", "body"),
    [
        ([{"type": "http.request"}], b""),
        ([piece(b"ab", False)], b"ab"),
        ([piece(b"ab"), piece(b"cd", False)], b"abcd"),
        ([piece(b"ab"), piece(b""), {"type": "http.request"}], b"ab"),
        ([piece(b"x" * 10, False)], b"x" * 10),
    ],
)
def test_pieces_are_joined(messages: list[Message], body: bytes) -> None:
    assert whole(messages) == body


def test_a_body_in_one_piece_is_not_copied() -> None:
    data = b"x" * 10
    assert whole([piece(data, False)]) is data


def test_an_announced_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    with pytest.raises(RequestTooLarge):
        whole([], length=11)
    assert whole([piece(b"x" * 10, False)], length=10)


@pytest.mark.parametrize("messages", [[piece(b"x" * 11, False)], [piece(b"x" * 6), piece(b"x" * 5)]])
def test_a_body_that_grows_over_the_limit_is_refused_while_it_arrives(messages: list[Message]) -> None:
    with pytest.raises(RequestTooLarge):
        whole(messages)


@pytest.mark.parametrize("messages", [[GONE], [piece(b"ab"), GONE]])
def test_a_client_that_disconnects_is_distinguished_from_the_end_of_a_body(messages: list[Message]) -> None:
    with pytest.raises(ClientGone):
        whole(messages)


def test_a_body_slower_than_the_minimum_rate_is_refused_after_the_idle_timeout() -> None:
    # 2 bytes at 2 bytes a second after an idle timeout of 5 seconds: 6 seconds are allowed, 6.1 are too long
    assert whole([piece(b"ab"), piece(b"", False)], clock=Clock(0.0, 6.0)) == b"ab"
    with pytest.raises(RequestTooSlow):
        whole([piece(b"ab"), piece(b"", False)], clock=Clock(0.0, 6.1))


def test_a_slow_body_that_is_complete_is_accepted() -> None:
    assert whole([piece(b"ab", False)], clock=Clock(0.0, 1000.0)) == b"ab"
