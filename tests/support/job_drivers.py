"""A driver of jobs alone, with a pipeline that the test controls and a real broker."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

import uvloop

from pyroadrunner.plugins.jobs.drivers.contract import Delivery, Host, Job

PATIENCE = 60.0  # seconds

P = ParamSpec("P")


def on_the_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on the loop that the server uses."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        uvloop.run(test(*args, **kwargs))

    return run


class OpenHost(Host):
    """A pipeline that takes up to ``limit`` jobs.

    Attributes:
        arrived: the deliveries; the test settles them.
        lost_why: reasons of lost connections.
    """

    name = "p"
    timeout = PATIENCE

    def __init__(self, limit: int = 1000) -> None:
        self.arrived: list[Delivery] = []
        self.lost_why: list[str] = []
        self.limit = limit
        self._changed = asyncio.Event()

    def deliver(self, delivery: Delivery) -> None:
        self.arrived.append(delivery)
        self._changed.set()

    async def room(self, prefetch: int) -> int:
        while (free := min(prefetch, self.limit) - len(self.arrived)) <= 0:
            await self._next()
        return free

    def lost(self, why: str) -> None:
        self.lost_why.append(why)
        self._changed.set()

    async def wait(self, count: int) -> list[Delivery]:
        """Wait for so many deliveries, and take them."""
        await self.wait_arrived(count)
        found, self.arrived = self.arrived[:count], self.arrived[count:]
        self._changed.set()
        return found

    async def wait_arrived(self, count: int) -> None:
        """Wait for so many deliveries, and leave them."""
        await self._until(lambda: len(self.arrived) >= count)

    async def wait_lost(self) -> str:
        """Wait for the loss of the connection."""
        await self._until(lambda: bool(self.lost_why))
        return self.lost_why[0]

    async def _until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                await self._next()

    async def _next(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def job(name: str = "1", payload: bytes = b"x", **fields: object) -> Job:
    """A job for the pipeline of :class:`OpenHost`."""
    return Job(id=name, name="J", payload=payload, pipeline="p", **fields)  # type: ignore[arg-type]
