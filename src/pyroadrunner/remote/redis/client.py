"""A client for every Redis setup: one server or a master behind sentinels (``direct.py``), or a cluster
(``cluster.py``).

If the server is unreachable, calls fail after the configured retries. The next call connects again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pyroadrunner.remote.connection import PipelinedConnection
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig
from pyroadrunner.remote.redis.direct import Command, DirectRedis, dial
from pyroadrunner.remote.redis.settings import RedisSettings


class RedisClient:
    """Connects with the first call; at most ``pool_size`` calls run concurrently.

    Raises:
        StoreError: the settings can't be used.
        ModuleNotFoundError: the package ``redis`` is not installed.
    """

    def __init__(self, config: RedisConfig) -> None:
        self._addresses = ", ".join(config.addrs)
        self.settings = RedisSettings.of(config)
        self.clustered = self.settings.clustered
        self._turns = asyncio.Semaphore(self.settings.pool_size)
        if self.clustered:
            from pyroadrunner.remote.redis.cluster import ClusterRedis  # half a second of imports

            self._redis: DirectRedis | ClusterRedis = ClusterRedis(self.settings, config)
        else:
            self._redis = DirectRedis(self.settings)

    def __repr__(self) -> str:
        return self._addresses

    async def execute(self, *command: str | bytes | int) -> Any:
        """Execute one command and return its reply.

        Raises:
            StoreError: Redis replied with an error, or did not reply.
        """
        (answer,) = await self.execute_many([command])
        return answer

    async def execute_many(self, commands: Sequence[Command]) -> Sequence[Any]:
        """Send commands together and return their replies.

        Raises:
            StoreError: as for :meth:`execute`; some commands may have been executed.
        """
        if not commands:
            return []
        await self._take_turn()
        try:
            return await self._redis.ask(commands)
        finally:
            self._turns.release()

    async def on_every_node(self, command: str) -> Any:
        """Execute a command for the whole database; for a cluster, the sum of the numbers of all masters.

        Raises:
            StoreError: as for :meth:`execute`.
        """
        await self._take_turn()
        try:
            return await self._redis.on_every_node(command)
        finally:
            self._turns.release()

    async def keys(self, pattern: str) -> list[bytes]:
        """All keys that match a pattern (Redis' ``MATCH``). For operators only, since it scans every key.

        Raises:
            StoreError: as for :meth:`execute`.
        """
        return await self._redis.keys(pattern)

    async def dial(self) -> PipelinedConnection:
        """Open a separate connection that is not shared with other calls.

        Raises:
            StoreError: the connect failed.
        """
        return await dial(await self._redis.master(), self.settings)

    async def close(self) -> None:
        await self._redis.close()

    # inside

    async def _take_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        pool_timeout = self.settings.pool_timeout
        try:
            async with asyncio.timeout(pool_timeout):
                await self._turns.acquire()
        except TimeoutError:
            raise StoreError(f"no connection became free within {pool_timeout:g} s; see `pool_size`") from None
