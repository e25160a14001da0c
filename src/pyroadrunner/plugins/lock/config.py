"""The ``lock`` section. Without it locks are kept in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from pyroadrunner.remote.redis.config import RedisConfig


class LockConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``lock``: where named locks are kept (ours; RoadRunner has only its memory)."""

    driver: Literal["memory", "redis"] = "memory"
    """`memory`: the locks of one server. `redis`: of all servers that use the same Redis and the same `prefix`."""
    prefix: str = "rr.lock"
    """What the keys in Redis begin with, and the names of the channels."""
    config: RedisConfig | None = None
    """How to reach Redis; absent: the section `redis`, else its defaults."""

    def elsewhere(self) -> Iterable[tuple[str, type[msgspec.Struct]]]:
        """Without `config` Redis is where the section `redis` says."""
        if self.driver == "redis" and self.config is None:
            yield "redis", RedisConfig

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.prefix:
            yield "prefix", "should not be empty"

    def absent(self) -> Iterable[tuple[str, str]]:
        """What Redis can't be reached with."""
        yield from ((f"config.{key}", message) for key, message in self._of_redis().absent())

    def doubtful(self) -> Iterable[tuple[str, str]]:
        yield from ((f"config.{key}", message) for key, message in self._of_redis().doubtful())

    def _of_redis(self) -> RedisConfig:
        return self.config if self.driver == "redis" and self.config is not None else RedisConfig()
