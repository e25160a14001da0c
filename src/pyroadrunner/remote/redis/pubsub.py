"""One channel of Redis (publish and subscribe), listened to for as long as it is wanted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from pyroadrunner.log import Log
from pyroadrunner.remote.connection import ConnectionLost, PipelinedConnection
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.client import RedisClient
from pyroadrunner.remote.redis.direct import packed

_PING_EVERY = 1.0  # seconds; so long a connection may be dead before it is made anew
_PATIENCE = 1.0  # seconds between two tries


class Subscription:
    """Tells what is said on a channel. Connections that are lost are made anew; what was said meanwhile is not heard.

    Args:
        on_message: called with each message.
        on_subscribed: called whenever it listens (again): now messages may have been missed.
        log: where it says, once each, that Redis went away and that it is back.
    """

    def __init__(
        self,
        redis: RedisClient,
        name: str,
        *,
        on_message: Callable[[bytes], None],
        on_subscribed: Callable[[], None],
        log: Log,
    ) -> None:
        self._redis = redis
        self._name = name
        self._on_message = on_message
        self._on_subscribed = on_subscribed
        self._log = log
        self._away = False
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"Subscription({self._name!r})"

    def listen(self) -> None:
        """Begin. Idempotent."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen(), name=f"channel {self._name}")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    # inside

    async def _listen(self) -> None:
        while True:
            try:
                await self._receive(await self._redis.dial())
            except StoreError as error:
                if not self._away:
                    self._log.error(
                        "redis is away; it is asked again until it is back", redis=str(self._redis), error=str(error)
                    )
                self._away = True
            await asyncio.sleep(_PATIENCE)

    async def _receive(self, connection: PipelinedConnection) -> None:
        timeout = self._redis.settings.timeout
        connection.on_push = self._on_push
        try:
            await connection.ask(packed([("SUBSCRIBE", self._name)]), 1, timeout)
            if self._away:
                self._log.info("redis is back", redis=str(self._redis))
            self._away = False
            self._on_subscribed()
            while not connection.closed:
                await asyncio.sleep(_PING_EVERY)
                await connection.ask(packed([("PING",)]), 1, timeout)
            raise ConnectionLost("the connection was lost")
        finally:
            connection.abort("no more needed")

    def _on_push(self, reply: Any) -> bool:
        if not (isinstance(reply, list) and len(reply) == 3 and reply[0] == b"message"):
            return False
        self._on_message(reply[2])
        return True
