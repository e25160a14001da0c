"""The driver ``amqp`` on a real broker, without a server: the test is its pipeline."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import uvloop

from pyroadrunner.plugins.jobs.drivers.amqp.config import AmqpConfig, AmqpSection
from pyroadrunner.plugins.jobs.drivers.amqp.driver import AmqpDriver
from pyroadrunner.plugins.jobs.drivers.contract import Delivery, Host, Job

_NUMBERS = itertools.count(1)
_PATIENCE = 60.0  # seconds
T = TypeVar("T")


def fresh_name() -> str:
    """A name for exchanges and queues that no other test uses."""
    return f"t-{os.getpid()}-{next(_NUMBERS)}"


def job(number: int = 0, **fields: Any) -> Job:
    """A job; its id is ``j`` and the number."""
    return Job(**{"id": f"j{number}", "name": "App\\Job", "payload": b"payload", "pipeline": "p", **fields})


class Pipe(Host):
    """What the driver sees.

    Attributes:
        delivered: not settled by this object.
        losses: the reasons of lost connections.
    """

    name = "p"
    timeout = _PATIENCE

    def __init__(self) -> None:
        self.delivered: list[Delivery] = []
        self.losses: list[str] = []
        self._changed = asyncio.Event()

    @property
    def ids(self) -> list[str]:
        return [delivery.job.id for delivery in self.delivered]

    def deliver(self, delivery: Delivery) -> None:
        self.delivered.append(delivery)
        self._changed.set()

    async def room(self, prefetch: int) -> int:
        return prefetch

    def lost(self, why: str) -> None:
        self.losses.append(why)
        self._changed.set()

    async def wait(self, count: int) -> list[Delivery]:
        """Wait until so many messages were delivered."""
        await self.until(lambda: len(self.delivered) >= count)
        return self.delivered

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(_PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def amqp(
    port: int, *, consume: bool = True, section: Any = None, **keys: Any
) -> AsyncIterator[tuple[AmqpDriver, Pipe]]:
    """A connected driver."""
    host = Pipe()
    address = AmqpSection(addr=f"amqp://guest:guest@127.0.0.1:{port}/")
    driver = AmqpDriver(host, AmqpConfig(**keys), section or address)
    try:
        await driver.connect()
        if consume:
            await driver.consume()
        yield driver, host
    finally:
        await driver.disconnect()


def run(scene: Coroutine[Any, Any, T]) -> T:
    """Run a scene on the loop of the server."""
    return uvloop.run(scene)
