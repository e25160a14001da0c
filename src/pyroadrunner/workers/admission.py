"""Bounds the number of calls in a pool; refuses all once the pool stops."""

from __future__ import annotations

import asyncio

from pyroadrunner.workers.errors import EmptyPayload, PoolClosed, QueueFull
from pyroadrunner.workers.payload import Payload


def check(payload: Payload) -> None:
    """Refuse a payload that a worker would read as the order to stop.

    Raises:
        EmptyPayload.
    """
    if not payload.context and not payload.body:
        raise EmptyPayload


class Admission:
    """Counts the calls that wait or run in one pool.

    Args:
        pool: its name, for error messages.
        limit: most calls at a time; 0 = any number.

    Attributes:
        refused: calls that it has refused because of the limit.
    """

    __slots__ = ("_closed", "_empty", "_pool", "limit", "load", "refused")

    def __init__(self, pool: str, limit: int) -> None:
        self.load = 0
        self.refused = 0
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
        """Whether calls are refused because the pool stops."""
        return self._closed

    def enter(self, payload: Payload) -> None:
        """Count a call in, or refuse it. :meth:`leave` must follow if it is counted.

        Raises:
            PoolClosed, QueueFull, EmptyPayload.
        """
        if self._closed:
            raise PoolClosed(self._pool)
        if self.limit and self.load >= self.limit:
            self.refused += 1
            raise QueueFull(self._pool, self.limit)
        if not payload.context and not payload.body:  # as check(), without a call on the hot path
            raise EmptyPayload
        self.load += 1

    def leave(self) -> None:
        """A call has its reply (for a streamed one, the first frame), or its caller was cancelled."""
        self.load -= 1
        if self._closed and not self.load:
            self._empty.set()

    async def close(self, grace: float) -> bool:
        """Refuse calls from now on, and wait for those that were counted in.

        Returns:
            whether all have left within ``grace`` seconds.
        """
        self._closed = True
        if not self.load:
            return True
        try:
            await asyncio.wait_for(self._empty.wait(), grace)
        except TimeoutError:
            return False
        return True
