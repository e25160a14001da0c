"""A storage in Redis. Each call is one round trip, whatever its number of keys; in a cluster one per node that has some
of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import cast

from pyroadrunner.log import Log
from pyroadrunner.plugins.kv.store import Item, StoreStats
from pyroadrunner.remote.redis.client import RedisClient
from pyroadrunner.remote.redis.config import RedisConfig

# A new counter gets its time in the same step; otherwise an item that expires in between would lose it.
_COUNT_TIMED = """
redis.call('SET', KEYS[1], '0', 'PX', ARGV[2], 'NX')
return redis.call('INCRBY', KEYS[1], ARGV[1])
"""

log = Log("kv")


class RedisStore:
    """A storage in Redis."""

    operations = "redis_driver"

    def __init__(self, config: RedisConfig) -> None:
        self._redis = RedisClient(config)
        self._clustered = self._redis.clustered

    def __repr__(self) -> str:
        return f"RedisStore({self._redis})"

    async def start(self) -> None:
        """Does nothing: the first call connects."""

    async def stop(self) -> None:
        await self._redis.close()

    async def has(self, keys: Sequence[str]) -> Sequence[str]:
        found = await self._redis.execute_many([("EXISTS", key) for key in keys])
        return [key for key, there in zip(keys, found, strict=True) if there]

    async def mget(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        if self._clustered:
            values = await self._redis.execute_many([("GET", key) for key in keys])
        else:
            values = await self._redis.execute("MGET", *keys) if keys else []
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    async def ttl(self, keys: Sequence[str]) -> Mapping[str, int | None]:
        """The times of keys that have one, as in RoadRunner."""
        left = await self._redis.execute_many([("PTTL", key) for key in keys])
        now = _now()
        return {key: now + ms for key, ms in zip(keys, left, strict=True) if ms >= 0}

    async def set(self, items: Sequence[Item]) -> None:
        """Store items. A time in the past counts as no time, as in RoadRunner (plugins/redis, kv/kv.go)."""
        now = _now()
        await self._redis.execute_many(
            [("SET", item.key, item.value, *_lifetime(item.key, item.expires, now)) for item in items]
        )

    async def set_absent(self, items: Sequence[Item]) -> Sequence[str]:
        now = _now()
        stored = await self._redis.execute_many(
            [("SET", item.key, item.value, *_lifetime(item.key, item.expires, now), "NX") for item in items]
        )
        return [item.key for item, done in zip(items, stored, strict=True) if done]

    async def mexpire(self, times: Mapping[str, int]) -> None:
        await self._redis.execute_many([("PEXPIREAT", key, max(expires, 0)) for key, expires in times.items()])

    async def delete(self, keys: Sequence[str]) -> None:
        if self._clustered:
            await self._redis.execute_many([("DEL", key) for key in keys])
        elif keys:
            await self._redis.execute("DEL", *keys)

    async def clear(self) -> None:
        await self._redis.on_every_node("FLUSHDB")

    async def count(self, key: str, by: int, expires: int | None) -> int:
        lifetime = _lifetime(key, expires, _now())
        if not lifetime:
            return cast("int", await self._redis.execute("INCRBY", key, by))
        return cast("int", await self._redis.execute("EVAL", _COUNT_TIMED, 1, key, by, lifetime[1]))

    async def stats(self) -> StoreStats:
        return StoreStats(items=await self._redis.on_every_node("DBSIZE"))


def _now() -> int:
    return time.time_ns() // 1_000_000


def _lifetime(key: str, expires: int | None, now: int) -> tuple[str, int] | tuple[()]:
    if expires is None:
        return ()
    if expires <= now:
        log.warning("the expiry time of an item is in the past; it is stored without one", key=key)
        return ()
    return "PX", expires - now


def build(config: RedisConfig) -> RedisStore:
    return RedisStore(config)
