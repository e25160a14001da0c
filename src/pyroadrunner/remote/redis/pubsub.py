"""Subscribe to one channel of Redis (publish and subscribe)."""

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

_PING_EVERY = 1.0  # seconds; a dead connection is detected and replaced after this time
_PATIENCE = 1.0  # seconds between two attempts


class Subscription:
    """Receives the messages of a channel. It reconnects after a lost connection; messages in between are missed.

    Args:
        on_message: called with each message.
        on_subscribed: called after every (re)connect, when messages may have been missed.
        log: receives one line when Redis becomes unreachable and one when it is reachable again.

    Attributes:
        error: why no messages arrive now; empty = they do.
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
        self.error = "not connected yet"
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"Subscription({self._name!r})"

    def listen(self) -> None:
        """Start to listen. Idempotent."""
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
                    self._log.error("redis is unreachable; retrying", redis=str(self._redis), error=str(error))
                self._away = True
                self.error = str(error)
            await asyncio.sleep(_PATIENCE)

    async def _receive(self, connection: PipelinedConnection) -> None:
        timeout = self._redis.settings.timeout
        connection.on_push = self._on_push
        try:
            await connection.ask(packed([("SUBSCRIBE", self._name)]), 1, timeout)
            if self._away:
                self._log.info("redis is reachable again", redis=str(self._redis))
            self._away = False
            self.error = ""
            self._on_subscribed()
            while not connection.closed:
                await asyncio.sleep(_PING_EVERY)
                await connection.ask(packed([("PING",)]), 1, timeout)
            raise ConnectionLost("the connection was lost")
        finally:
            connection.abort("no longer needed")

    def _on_push(self, reply: Any) -> bool:
        if not (isinstance(reply, list) and len(reply) == 3 and reply[0] == b"message"):
            return False
        self._on_message(reply[2])
        return True
