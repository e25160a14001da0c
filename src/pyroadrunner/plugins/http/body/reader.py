"""The body of a request, read whole before a worker is asked: a slow client costs a connection, never a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyroadrunner.asgi import Receive
from pyroadrunner.plugins.http.errors import ClientGone, RequestError, RequestTooLarge, RequestTooSlow
from pyroadrunner.plugins.http.request import UNKNOWN_LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """How much and how slowly a client may send.

    Attributes:
        max_body: bytes of a body.
        idle_timeout: seconds a body may take before its rate counts.
        min_rate: bytes per second that it must reach on average after that.
        too_large: makes the error for a body of more than ``max_body``.
    """

    max_body: int
    idle_timeout: float = 60.0
    min_rate: int = 500
    too_large: Callable[[], RequestError] = RequestTooLarge


class BodyReader:
    """Reads one body.

    Args:
        length: as announced, or ``UNKNOWN_LENGTH``.
        clock: monotonic seconds.

    Raises:
        RequestTooLarge: the announced length is over the limit already (or what ``limits.too_large`` makes).
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
        """The next bytes; ``more`` says whether others follow.

        Raises:
            RequestTooLarge, RequestTooSlow: the limits are passed.
            ClientGone: the client left, or sent nothing for a minute.
        """
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientGone("the client left before its request was whole")
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
        """The whole body; raises as :meth:`next_chunk` does.

        It grows in place: pieces that are joined at the end would take twice its size, and small ones many times that.
        """
        data = await self.next_chunk()
        if not self.more:
            return data
        body = bytearray(data)
        while self.more:
            body += await self.next_chunk()
        return body
