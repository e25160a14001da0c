"""A storage in Redis: one server, a cluster, or the master that sentinels name (``redis_client.py``).

Everything is one round trip, for as many keys as a call has; in a cluster one to each node that has some of them. A
server that goes away is an error of the calls that need it, after the configured retries; nothing is lost but them, and
the next call connects anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ssl import SSLError
from typing import Any, cast

from redis.asyncio import RedisCluster
from redis.exceptions import RedisClusterException, RedisError

from pyroadrunner.log import Log
from pyroadrunner.plugins.kv.config import RedisConfig
from pyroadrunner.plugins.kv.drivers.redis_client import make_client, most_connections, pool_timeout
from pyroadrunner.plugins.kv.store import Figures, Item, StoreError

Command = tuple[str | bytes | int, ...]

# A counter that is made here gets its time in the same step; an item that expires in between would lose it.
_COUNT_TIMED = """
redis.call('SET', KEYS[1], '0', 'PX', ARGV[2], 'NX')
return redis.call('INCRBY', KEYS[1], ARGV[1])
"""

log = Log("kv")


class RedisStore:
    """A storage in Redis."""

    operations = "redis_driver"

    def __init__(self, config: RedisConfig) -> None:
        self._client = make_client(config)
        self._cluster = isinstance(self._client, RedisCluster)
        self._addresses = ", ".join(config.addrs)
        self._turns = asyncio.Semaphore(most_connections(config))
        self._pool_timeout = pool_timeout(config)

    def __repr__(self) -> str:
        return f"RedisStore({self._addresses})"

    async def start(self) -> None:
        """Connects with the first call."""

    async def stop(self) -> None:
        await self._client.aclose()

    async def has(self, keys: Sequence[str]) -> Sequence[str]:
        found = await self._each([("EXISTS", key) for key in keys])
        return [key for key, there in zip(keys, found, strict=True) if there]

    async def mget(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        if self._cluster:
            values = await self._each([("GET", key) for key in keys])
        else:
            values = await self._one("MGET", *keys) if keys else []
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    async def ttl(self, keys: Sequence[str]) -> Mapping[str, int | None]:
        """Those that have a time, as in RoadRunner."""
        left = await self._each([("PTTL", key) for key in keys])
        now = _now()
        return {key: now + ms for key, ms in zip(keys, left, strict=True) if ms >= 0}

    async def set(self, items: Sequence[Item]) -> None:
        """A time that has passed counts for none, as in RoadRunner (plugins/redis, kv/kv.go)."""
        now = _now()
        await self._each([("SET", item.key, item.value, *_lifetime(item.key, item.expires, now)) for item in items])

    async def set_absent(self, items: Sequence[Item]) -> Sequence[str]:
        now = _now()
        stored = await self._each(
            [("SET", item.key, item.value, *_lifetime(item.key, item.expires, now), "NX") for item in items]
        )
        return [item.key for item, done in zip(items, stored, strict=True) if done]

    async def mexpire(self, times: Mapping[str, int]) -> None:
        await self._each([("PEXPIREAT", key, max(expires, 0)) for key, expires in times.items()])

    async def delete(self, keys: Sequence[str]) -> None:
        if self._cluster:
            await self._each([("DEL", key) for key in keys])
        elif keys:
            await self._one("DEL", *keys)

    async def clear(self) -> None:
        await self._everywhere("FLUSHDB")

    async def count(self, key: str, by: int, expires: int | None) -> int:
        lifetime = _lifetime(key, expires, _now())
        if not lifetime:
            return cast("int", await self._one("INCRBY", key, by))
        return cast("int", await self._one("EVAL", _COUNT_TIMED, 1, key, by, lifetime[1]))

    async def figures(self) -> Figures:
        return Figures(items=await self._everywhere("DBSIZE"))

    # inside

    async def _one(self, *command: str | bytes | int) -> Any:
        return await self._asked(lambda: self._client.execute_command(*command))

    async def _each(self, commands: Sequence[Command]) -> Sequence[Any]:
        """The results of commands that are sent together."""
        if len(commands) <= 1:
            return [await self._one(*command) for command in commands]

        async def ask() -> Any:
            pipeline: Any = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return await pipeline.execute()

        return cast("Sequence[Any]", await self._asked(ask))

    async def _everywhere(self, command: str) -> Any:
        """The result of a command for the whole database: in a cluster, the sum of its masters'."""
        if not isinstance(self._client, RedisCluster):
            return await self._one(command)
        cluster = self._client

        async def ask() -> Any:
            return await cluster.execute_command(command, target_nodes=RedisCluster.PRIMARIES)

        found = await self._asked(ask)
        return sum(found.values()) if isinstance(found, dict) else found

    async def _asked(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        if self._turns.locked():
            await self._wait_for_turn()
        else:
            await self._turns.acquire()
        try:
            return await ask()
        except (RedisError, RedisClusterException, SSLError, OSError) as error:
            raise StoreError(str(error) or type(error).__name__) from error
        finally:
            self._turns.release()

    async def _wait_for_turn(self) -> None:
        try:
            async with asyncio.timeout(self._pool_timeout):
                await self._turns.acquire()
        except TimeoutError:
            raise StoreError(f"no connection became free within {self._pool_timeout:g} s; see `pool_size`") from None


def _now() -> int:
    return time.time_ns() // 1_000_000


def _lifetime(key: str, expires: int | None, now: int) -> tuple[str, int] | tuple[()]:
    if expires is None:
        return ()
    if expires <= now:
        log.warning("the time of an item has passed; it is stored without one", key=key)
        return ()
    return "PX", expires - now


def build(config: RedisConfig) -> RedisStore:
    return RedisStore(config)
