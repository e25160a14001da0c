"""Who may enter a pool: a bounded number of requests at once, none once it closes."""

from __future__ import annotations

import asyncio

from pyroadrunner.workers.errors import EmptyPayload, PoolClosed, QueueFull
from pyroadrunner.workers.payload import Payload


def check(payload: Payload) -> None:
    """Refuse what a worker would take for the order to stop.

    Raises:
        EmptyPayload.
    """
    if not payload.context and not payload.body:
        raise EmptyPayload


class Admission:
    """Counts the requests that wait or run in one pool.

    Args:
        pool: its name, for error messages.
        limit: how many there may be; 0 = any number.
    """

    __slots__ = ("_closed", "_empty", "_pool", "limit", "load")

    def __init__(self, pool: str, limit: int) -> None:
        self.load = 0
        self._pool = pool
        self.limit = limit
        self._closed = False
        self._empty = asyncio.Event()

    def __repr__(self) -> str:
        return (
            f"Admission({self._pool!r}, load={self.load} of {self.limit or 'any'}{', closed' if self._closed else ''})"
        )

    @property
    def closed(self) -> bool:
        """Whether requests are refused because the pool stops."""
        return self._closed

    def enter(self, payload: Payload) -> None:
        """Let a request in, or refuse it; :meth:`leave` must follow when it is in.

        Raises:
            PoolClosed, QueueFull, EmptyPayload.
        """
        if self._closed:
            raise PoolClosed(self._pool)
        if self.limit and self.load >= self.limit:
            raise QueueFull(self._pool, self.limit)
        check(payload)
        self.load += 1

    def leave(self) -> None:
        """A request has its answer (of a stream: the first frame), or nobody waits for it any more."""
        self.load -= 1
        if self._closed and not self.load:
            self._empty.set()

    async def close(self, grace: float) -> bool:
        """Let nobody in any more, wait until everybody has left.

        Returns:
            whether that was so within ``grace`` seconds.
        """
        self._closed = True
        if not self.load:
            return True
        try:
            await asyncio.wait_for(self._empty.wait(), grace)
        except TimeoutError:
            return False
        return True
