"""A cluster of Redis servers, through redis-py: it knows which node has a key, and follows when that changes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from ssl import SSLError
from typing import Any

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.cluster import LoadBalancingStrategy
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig
from pyroadrunner.remote.redis.direct import Command
from pyroadrunner.remote.redis.options import connection_options
from pyroadrunner.remote.redis.settings import Address, RedisSettings

_STEP = 1000  # keys that are looked at in one step


class ClusterRedis:
    """A cluster that is connected to when it is asked first."""

    def __init__(self, settings: RedisSettings, config: RedisConfig) -> None:
        self._addresses = settings.addresses
        self._client = RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in settings.addresses],
            load_balancing_strategy=_routing(config),
            username=settings.username or None,
            password=settings.password or None,
            max_connections=settings.most,
            **connection_options(settings),
        )

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to commands of one key each; those of a node are sent to it together.

        Raises:
            StoreError: of several commands the others may have been done.
        """
        try:
            if len(commands) == 1:
                return [await self._client.execute_command(*commands[0])]
            pipeline = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return await pipeline.execute()
        except NoScriptError as error:  # redis-py drops the word that the server says
            raise StoreError(f"NOSCRIPT {error}") from error
        except (RedisError, RedisClusterException, SSLError, OSError) as error:
            raise StoreError(str(error) or type(error).__name__) from error

    async def everywhere(self, command: str) -> Any:
        """The answer to a command for the whole database: numbers of all masters together."""
        try:
            found = await self._client.execute_command(command, target_nodes=RedisCluster.PRIMARIES)
        except (RedisError, RedisClusterException, SSLError, OSError) as error:
            raise StoreError(str(error) or type(error).__name__) from error
        return sum(found.values()) if isinstance(found, dict) else found

    async def keys(self, pattern: str) -> list[bytes]:
        """All keys of a pattern, of all masters."""
        try:
            return [key async for key in self._client.scan_iter(match=pattern, count=_STEP)]
        except (RedisError, RedisClusterException, SSLError, OSError) as error:
            raise StoreError(str(error) or type(error).__name__) from error

    async def master(self) -> Address:
        """One of its servers: what is published at one is heard at all."""
        return random.choice(self._addresses)

    async def close(self) -> None:
        await self._client.aclose()


def _routing(config: RedisConfig) -> LoadBalancingStrategy | None:
    """Where a cluster is read from; ``None`` = from the masters."""
    if config.route_randomly:
        return LoadBalancingStrategy.RANDOM
    if config.read_only or config.route_by_latency:
        return LoadBalancingStrategy.ROUND_ROBIN
    return None
