"""The sections ``broadcast`` and ``websockets``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from pyroadrunner.config.values import NAMED
from pyroadrunner.remote.redis.config import RedisConfig
from pyroadrunner.workers.config import PoolConfig

_WORKERS = 2  # if the section `pool` is absent


class MemorySettings(msgspec.Struct, kw_only=True, frozen=True):
    """There are none."""


class MemoryBroker(msgspec.Struct, kw_only=True, frozen=True, tag_field="driver", tag="memory"):
    """Topics of this server."""

    config: Any = None
    """Accepted and ignored; RoadRunner wants an empty map here."""


class RedisBroker(msgspec.Struct, kw_only=True, frozen=True, tag_field="driver", tag="redis"):
    """Topics of all servers with one Redis."""

    config: RedisConfig | None = None
    """Connection to Redis; absent = the section named like the broker, else its defaults."""


class BroadcastConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``broadcast``: brokers by name, and the RPC methods ``broadcast.*``."""

    brokers: Annotated[dict[str, MemoryBroker | RedisBroker], NAMED] = msgspec.field(default_factory=dict)

    def elsewhere(self) -> Iterable[tuple[str, type[msgspec.Struct]]]:
        """A broker without `config` takes its settings from the section with its name."""
        for name, broker in self.brokers.items():
            if broker.config is None:
                yield name, RedisConfig if isinstance(broker, RedisBroker) else MemorySettings

    def absent(self) -> Iterable[tuple[str, str]]:
        """Settings of Redis that prevent a connection."""
        for name, config in self._of_redis():
            yield from ((f"{name}.config.{key}", message) for key, message in config.absent())

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """Settings of Redis that work but are probably a mistake."""
        for name, config in self._of_redis():
            yield from ((f"{name}.config.{key}", message) for key, message in config.doubtful())

    def _of_redis(self) -> Iterable[tuple[str, RedisConfig]]:
        for name, broker in self.brokers.items():
            if isinstance(broker, RedisBroker) and broker.config is not None:
                yield name, broker.config


class WebSocketsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``websockets``: the WebSocket server of RoadRunner until 2.12. New applications use ``websocket``."""

    path: str = "/ws"
    """Path on the HTTP port."""
    broker: str = ""
    """One of ``broadcast``."""
    allowed_origin: str = "*"
    """Origin of pages that may connect; a star stands for any text. `*` = all."""
    pool: PoolConfig = msgspec.field(default_factory=lambda: PoolConfig(num_workers=_WORKERS))
    """The workers that decide who may connect and join: ordinary HTTP workers. Absent = 2 workers."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.broker:
            yield "broker", "should name a broker of the section broadcast"
        if not self.path.startswith("/"):
            yield "path", f'"{self.path}" matches no request: a path starts with /'
