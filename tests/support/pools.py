"""Pools of real PHP workers in the test's own process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.debug_pool import DebugPool
from pyroadrunner.workers.payload import Codec, Payload, Reply
from pyroadrunner.workers.pool import Pool
from pyroadrunner.workers.spawn import Spawner
from support.php import require_php

T = TypeVar("T")
ANY_WORKER = Path(__file__).parent / "workers" / "any.php"
PATIENCE = 60.0  # seconds an event may take before the test fails


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine on uvloop, as the server does."""
    return uvloop.run(main)


def pool_config(**keys: Any) -> PoolConfig:
    """A ``pool`` section, read as from a file."""
    reader = SectionReader(lambda _path: Origin(kind="built-in", source="test"))
    config = reader.read(PoolConfig, {"num_workers": 2, **keys}, ("pool",))
    assert isinstance(config, PoolConfig), reader.faults
    return config


def spawner(command: list[str] | None = None, *, timeout: float = PATIENCE, **env: str) -> Spawner:
    """A spawner of ``any.php`` (or another command) over pipes."""
    command = command or [require_php(), str(ANY_WORKER)]
    return Spawner(command, {**os.environ, "RR_RELAY": "pipes", **env}, pool="test", timeout=timeout)


@asynccontextmanager
async def running_pool(
    source: Spawner | None = None, *, queue: QueuePolicy = QueuePolicy.FIFO, **keys: Any
) -> AsyncIterator[Pool]:
    """A started pool; destroyed at the end."""
    pool = Pool("test", pool_config(**keys), source or spawner(), queue)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.destroy(0.0)


async def ask(pool: Pool | DebugPool, body: str, context: bytes = b"context") -> Reply:
    """Run one call; return its reply."""
    return await pool.exec(Payload(context, body.encode(), Codec.RAW))


async def text(pool: Pool | DebugPool, body: str) -> str:
    """Run one call; return the body of its reply."""
    return (await ask(pool, body)).body.decode()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition that no event reports: poll it, fail after ``PATIENCE``."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
