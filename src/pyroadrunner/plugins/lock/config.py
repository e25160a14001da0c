"""The ``lock`` section. Without it, locks are kept in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from pyroadrunner.remote.redis.config import RedisConfig


class LockConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``lock``: where named locks are kept (not in RoadRunner, which has locks in memory only)."""

    driver: Literal["memory", "redis"] = "memory"
    """`memory`: locks of this server only. `redis`: locks shared by all servers with the same Redis and `prefix`."""
    prefix: str = "rr.lock"
    """Prefix of the keys and channels in Redis."""
    config: RedisConfig | None = None
    """Connection to Redis; absent = the section `redis`, else its defaults."""

    def elsewhere(self) -> Iterable[tuple[str, type[msgspec.Struct]]]:
        """Without `config`, the section `redis` applies."""
        if self.driver == "redis" and self.config is None:
            yield "redis", RedisConfig

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.prefix:
            yield "prefix", "should not be empty"

    def absent(self) -> Iterable[tuple[str, str]]:
        """Settings of Redis that prevent a connection."""
        yield from ((f"config.{key}", message) for key, message in self._of_redis().absent())

    def doubtful(self) -> Iterable[tuple[str, str]]:
        yield from ((f"config.{key}", message) for key, message in self._of_redis().doubtful())

    def _of_redis(self) -> RedisConfig:
        return self.config if self.driver == "redis" and self.config is not None else RedisConfig()
