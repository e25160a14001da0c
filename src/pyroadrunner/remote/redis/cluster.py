"""A cluster of Redis servers, through redis-py, which tracks the node of each key."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from ssl import SSLError
from typing import Any

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.cluster import LoadBalancingStrategy
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    NoScriptError,
    RedisClusterException,
    RedisError,
    SlotNotCoveredError,
)
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import TimeoutError as TookTooLong

from pyroadrunner.remote.connection import NoAnswer
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig
from pyroadrunner.remote.redis.direct import Command
from pyroadrunner.remote.redis.options import connection_options
from pyroadrunner.remote.redis.retry import RetryPolicy
from pyroadrunner.remote.redis.settings import Address, RedisSettings

_STEP = 1000  # keys per step of a scan
_FOREIGN = (RedisError, RedisClusterException, SSLError, OSError)
# Exactly these classes, not their subclasses: a wrong password is a ConnectionError, too.
_WORTH_ANOTHER = (ConnectionLost, BusyLoadingError, ClusterDownError, SlotNotCoveredError)


class ClusterRedis:
    """A cluster; connects with the first command."""

    def __init__(self, settings: RedisSettings, config: RedisConfig) -> None:
        self._settings = settings
        self._longest = settings.dial_timeout + settings.timeout  # nodes may redirect a command to one another
        self._addresses = settings.addresses
        options = connection_options(settings)
        # redis-py would also retry after timeouts. So its retries are off, and _with_retries does them.
        options["retry"] = Retry(NoBackoff(), 0)
        self._client = RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in settings.addresses],
            load_balancing_strategy=_routing(config),
            username=settings.username or None,
            password=settings.password or None,
            max_connections=settings.pool_size,
            **options,
        )

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Execute commands of one key each and return their replies. The commands of a node are sent together.

        Raises:
            StoreError: a command failed; others may have been executed.
        """
        if len(commands) == 1:
            return [await self._with_retries(lambda: self._client.execute_command(*commands[0]), self._longest)]
        answers: dict[int, Any] = {}
        await self._with_retries(lambda: self._by_node(commands, answers), self._longest)
        return [answers[number] for number in range(len(commands))]

    async def on_every_node(self, command: str) -> Any:
        """Execute a command for the whole database: the sum of the numbers of all masters."""
        found = await self._with_retries(
            lambda: self._client.execute_command(command, target_nodes=RedisCluster.PRIMARIES), self._longest
        )
        return sum(found.values()) if isinstance(found, dict) else found

    async def keys(self, pattern: str) -> list[bytes]:
        """All keys of all masters that match a pattern."""

        async def scan() -> list[bytes]:
            return [key async for key in self._client.scan_iter(match=pattern, count=_STEP)]

        found: list[bytes] = await self._with_retries(scan, longest=None)
        return found

    async def master(self) -> Address:
        """A random node: messages published at one node reach all nodes."""
        return random.choice(self._addresses)

    async def close(self) -> None:
        await self._client.aclose()

    # inside

    async def _with_retries(self, ask: Callable[[], Awaitable[Any]], longest: float | None) -> Any:
        """Call ``ask``, and call it again if the connection is lost.

        Args:
            longest: seconds for all attempts together; ``None`` = only each reply has a limit.

        Raises:
            StoreError
        """
        tries = RetryPolicy(self._settings)
        try:
            async with asyncio.timeout(longest):
                while True:
                    try:
                        # Explicitly first: when redis-py initializes itself in a call, it has already chosen a
                        # random node.
                        await self._client.initialize()
                        return await ask()
                    except _WORTH_ANOTHER as error:
                        if type(error) not in _WORTH_ANOTHER or not await tries.wait_next():
                            raise
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {self._longest:g} s") from error
        except _FOREIGN as error:
            raise _translated(error) from error

    async def _by_node(self, commands: Sequence[Command], answers: dict[int, Any]) -> None:
        """Execute the commands without a reply in ``answers`` and add their replies to it."""
        rest = [number for number in range(len(commands)) if number not in answers]
        pipeline = self._client.pipeline(transaction=False)
        for number in rest:
            pipeline.execute_command(*commands[number])
        try:
            given = await pipeline.execute(raise_on_error=False)
            answers.update((n, one) for n, one in zip(rest, given, strict=True) if not isinstance(one, Exception))
            errors = [one for one in given if isinstance(one, Exception)]
            if errors:
                raise next((error for error in errors if isinstance(error, TookTooLong)), errors[0])
        except (TookTooLong, *_WORTH_ANOTHER):
            await self._client.aclose()  # as redis-py does before a retry: it then discovers the nodes again
            raise


def _translated(error: Exception) -> StoreError:
    if isinstance(error, NoScriptError):
        return StoreError(f"NOSCRIPT {error}")  # redis-py removes this word of the server's error
    return StoreError(str(error) or type(error).__name__)


def _routing(config: RedisConfig) -> LoadBalancingStrategy | None:
    """The nodes to read from; ``None`` = the masters."""
    if config.route_randomly:
        return LoadBalancingStrategy.RANDOM
    if config.read_only or config.route_by_latency:
        return LoadBalancingStrategy.ROUND_ROBIN
    return None
