"""A storage in Redis: one server, the master that sentinels name (``redis_direct.py``), or a cluster
(``redis_cluster.py``).

Everything is one round trip, for as many keys as a call has; in a cluster one to each node that has some of them. A
server that goes away is an error of the calls that need it, after the configured retries; nothing is lost but them, and
the next call connects anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pyroadrunner.log import Log
from pyroadrunner.plugins.kv.config import RedisConfig
from pyroadrunner.plugins.kv.drivers.redis_direct import Command, DirectRedis
from pyroadrunner.plugins.kv.drivers.redis_settings import RedisSettings
from pyroadrunner.plugins.kv.store import Figures, Item, StoreError

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
        settings = RedisSettings.of(config)
        self._addresses = ", ".join(config.addrs)
        self._turns = asyncio.Semaphore(settings.most)
        self._patience = settings.patience
        self._clustered = settings.clustered
        if settings.clustered:
            from pyroadrunner.plugins.kv.drivers.redis_cluster import ClusterRedis  # half a second of imports

            self._redis: DirectRedis | ClusterRedis = ClusterRedis(settings, config)
        else:
            self._redis = DirectRedis(settings)

    def __repr__(self) -> str:
        return f"RedisStore({self._addresses})"

    async def start(self) -> None:
        """Connects with the first call."""

    async def stop(self) -> None:
        await self._redis.close()

    async def has(self, keys: Sequence[str]) -> Sequence[str]:
        found = await self._each([("EXISTS", key) for key in keys])
        return [key for key, there in zip(keys, found, strict=True) if there]

    async def mget(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        if self._clustered:
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
        if self._clustered:
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
        (answer,) = await self._each([command])
        return answer

    async def _each(self, commands: Sequence[Command]) -> Sequence[Any]:
        """The answers to commands that are sent together."""
        if not commands:
            return []
        await self._take_turn()
        try:
            return await self._redis.ask(commands)
        finally:
            self._turns.release()

    async def _everywhere(self, command: str) -> Any:
        await self._take_turn()
        try:
            return await self._redis.everywhere(command)
        finally:
            self._turns.release()

    async def _take_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._turns.acquire()
        except TimeoutError:
            raise StoreError(f"no connection became free within {self._patience:g} s; see `pool_size`") from None


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
