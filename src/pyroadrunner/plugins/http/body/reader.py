"""Reads the whole request body before a worker is assigned: a slow client occupies a connection, but no worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyroadrunner.asgi import Receive
from pyroadrunner.plugins.http.errors import ClientGone, RequestError, RequestTooLarge, RequestTooSlow
from pyroadrunner.plugins.http.request import UNKNOWN_LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """Limits on the size of a request body and on how slowly a client may send it.

    Attributes:
        max_body: maximum bytes of a body.
        idle_timeout: seconds before the minimum rate applies.
        min_rate: bytes per second that a body must reach on average after ``idle_timeout``.
        too_large: makes the error for a body larger than ``max_body``.
    """

    max_body: int
    idle_timeout: float = 60.0
    min_rate: int = 500
    too_large: Callable[[], RequestError] = RequestTooLarge


class BodyReader:
    """Reads one body.

    Args:
        length: the announced length, or ``UNKNOWN_LENGTH``.
        clock: monotonic seconds.

    Raises:
        RequestTooLarge: the announced length exceeds the limit (or the error that ``limits.too_large`` makes).
    """

    __slots__ = ("_clock", "_limits", "_receive", "_started", "more", "size")

    def __init__(self, receive: Receive, limits: BodyLimits, length: int, clock: Callable[[], float]) -> None:
        if length != UNKNOWN_LENGTH and length > limits.max_body:
            raise limits.too_large()
        self._receive = receive
        self._limits = limits
        self._clock = clock
        self._started = clock()
        self.size = 0
        self.more = True

    def __repr__(self) -> str:
        return f"BodyReader(size={self.size}, more={self.more})"

    async def next_chunk(self) -> bytes:
        """Return the next bytes; afterwards ``more`` is ``True`` if more bytes follow.

        Raises:
            RequestTooLarge, RequestTooSlow: a limit is exceeded.
            ClientGone: the client disconnected, or sent nothing for a minute.
        """
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientGone("the client disconnected before its request was complete")
        data: bytes = message.get("body", b"")
        self.size += len(data)
        self.more = message.get("more_body", False)
        limits = self._limits
        if self.size > limits.max_body:
            raise limits.too_large()
        if self.more and self._clock() - self._started > limits.idle_timeout + self.size / limits.min_rate:
            raise RequestTooSlow
        return data

    async def read_all(self) -> bytes | bytearray:
        """Return the whole body; raises like :meth:`next_chunk`.

        The buffer grows in place: joining the pieces at the end would take twice the size, and much more if they are
        small.
        """
        data = await self.next_chunk()
        if not self.more:
            return data
        body = bytearray(data)
        while self.more:
            body += await self.next_chunk()
        return body
