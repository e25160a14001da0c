"""Event streams whose clients read too slowly. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

Connection = tuple[str, int] | tuple[()]


class EventStream(Protocol):
    """A response that ends when its client does not read it.

    Attributes:
        connection: address and port of the peer; empty = unknown.
    """

    connection: Connection

    def blocked(self, now: float) -> float:
        """Seconds for which the client has not read, if it takes longer than it may; otherwise 0."""

    def tick(self, now: float) -> None:
        """Look after the stream, and end it if it is blocked."""


_Stream = TypeVar("_Stream", bound=EventStream)


def tick_all(streams: Iterable[_Stream], now: float) -> None:
    """Look after the streams; call it about once a second.

    The streams of a connection of HTTP/2 share a buffer, so the one that has not been read for the longest time blocks
    the others. Only that one ends now; without it the others may go on.
    """
    blocked: dict[Connection, _Stream] = {}
    for stream in list(streams):
        seconds = stream.blocked(now)
        if not seconds or not stream.connection:
            stream.tick(now)
            continue
        first = blocked.setdefault(stream.connection, stream)
        if seconds > first.blocked(now):
            blocked[stream.connection] = stream
    for stream in blocked.values():
        stream.tick(now)
