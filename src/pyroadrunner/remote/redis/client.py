"""Redis, however it is set up: one server or the master that sentinels name (``direct.py``), or a cluster
(``cluster.py``).

A server that goes away is an error of the calls that need it, after the configured retries; nothing is lost but them,
and the next call connects anew.
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
    """Connects with the first call; of calls, no more run at a time than ``pool_size`` says.

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
        """The answer to one command.

        Raises:
            StoreError: Redis said so, or there is no answer to be had.
        """
        (answer,) = await self.execute_many([command])
        return answer

    async def execute_many(self, commands: Sequence[Command]) -> Sequence[Any]:
        """The answers to commands that are sent together.

        Raises:
            StoreError: as for :meth:`execute`; some of them may have been done.
        """
        if not commands:
            return []
        await self._take_turn()
        try:
            return await self._redis.ask(commands)
        finally:
            self._turns.release()

    async def on_every_node(self, command: str) -> Any:
        """The answer to a command for the whole database; numbers of all masters of a cluster together.

        Raises:
            StoreError: as for :meth:`execute`.
        """
        await self._take_turn()
        try:
            return await self._redis.on_every_node(command)
        finally:
            self._turns.release()

    async def keys(self, pattern: str) -> list[bytes]:
        """All keys of a pattern (Redis' ``MATCH``); for operators, since every key is looked at.

        Raises:
            StoreError: as for :meth:`execute`.
        """
        return await self._redis.keys(pattern)

    async def dial(self) -> PipelinedConnection:
        """A connection of one's own, for what others must not share.

        Raises:
            StoreError: there is none to be had.
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
