"""The ``kv`` section: storages with names chosen by the user, each with a driver and its settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pyroadrunner.config.values import NAMED, Duration, StringList
from pyroadrunner.remote.redis.config import RedisConfig


class MemoryConfig(msgspec.Struct, kw_only=True, frozen=True):
    """A storage in the memory of the server."""

    max_items: Annotated[int, Meta(ge=0)] = 0
    """Maximum number of keys; the least recently used are evicted. 0 = no limit."""
    max_bytes: Annotated[int, Meta(ge=0)] = 0
    """Maximum bytes of keys and values; the least recently used are evicted. 0 = no limit."""
    interval: Any = None
    """Accepted and ignored, as in RoadRunner; published skeletons set it. Each item expires at its exact time."""


class BoltdbConfig(msgspec.Struct, kw_only=True, frozen=True):
    """A storage in one file, kept in SQLite."""

    file: str = "rr.db"
    """The file; a relative path starts at the server's working folder."""
    permissions: Annotated[int, Meta(ge=0, le=0o7777)] = 0o755
    """Mode of a new file, such as 0600."""
    interval: Annotated[int, Meta(gt=0)] = 60
    """Seconds between two sweeps that delete expired items; expired items are never readable."""
    synchronous: Literal["full", "normal"] = "full"
    """`full`: acknowledged writes survive a power loss. `normal`: they survive a crash of the server, but not a power
    loss."""
    bucket: str = ""
    """Accepted and ignored, as in RoadRunner."""


class MemcachedConfig(msgspec.Struct, kw_only=True, frozen=True):
    """A storage on memcached servers."""

    addr: StringList = msgspec.field(default_factory=lambda: ["127.0.0.1:11211"])
    """`host:port` of each server; keys are spread over them by hash."""
    timeout: Duration = 1.0
    """Time limit of an operation, including connecting."""
    interval: Any = None
    """Accepted and ignored, as in RoadRunner."""


class MemoryStorage(msgspec.Struct, kw_only=True, frozen=True, tag_field="driver", tag="memory"):
    """A storage in the memory of the server."""

    config: MemoryConfig | None = None
    """Its settings; absent: the section named like the storage, else the defaults."""


class BoltdbStorage(msgspec.Struct, kw_only=True, frozen=True, tag_field="driver", tag="boltdb"):
    """A storage in one file."""

    config: BoltdbConfig | None = None
    """Its settings; absent: the section named like the storage, else the defaults."""


class MemcachedStorage(msgspec.Struct, kw_only=True, frozen=True, tag_field="driver", tag="memcached"):
    """A storage on memcached servers."""

    config: MemcachedConfig | None = None
    """Its settings; absent: the section named like the storage, else the defaults."""


class RedisStorage(msgspec.Struct, kw_only=True, frozen=True, tag_field="driver", tag="redis"):
    """A storage in Redis."""

    config: RedisConfig | None = None
    """Its settings; absent: the section named like the storage, else the defaults."""


Storage = MemoryStorage | BoltdbStorage | MemcachedStorage | RedisStorage
Settings = MemoryConfig | BoltdbConfig | MemcachedConfig | RedisConfig

SETTINGS: dict[type[msgspec.Struct], type[Settings]] = {
    MemoryStorage: MemoryConfig,
    BoltdbStorage: BoltdbConfig,
    MemcachedStorage: MemcachedConfig,
    RedisStorage: RedisConfig,
}


class KvConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``kv``: key-value storages by name."""

    storages: Annotated[
        dict[str, MemoryStorage | BoltdbStorage | MemcachedStorage | RedisStorage],
        NAMED,
    ] = msgspec.field(default_factory=dict)

    def elsewhere(self) -> Iterable[tuple[str, type[msgspec.Struct]]]:
        """A storage without `config` takes its settings from the section with its name."""
        for name, storage in self.storages.items():
            if storage.config is None:
                yield name, SETTINGS[type(storage)]

    def absent(self) -> Iterable[tuple[str, str]]:
        """Settings of Redis that prevent a connection."""
        for name, config in self._of_redis():
            yield from ((f"{name}.config.{key}", message) for key, message in config.absent())

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """Settings of Redis that work but are probably a mistake."""
        for name, config in self._of_redis():
            yield from ((f"{name}.config.{key}", message) for key, message in config.doubtful())

    def _of_redis(self) -> Iterable[tuple[str, RedisConfig]]:
        for name, storage in self.storages.items():
            if isinstance(storage, RedisStorage) and storage.config is not None:
                yield name, storage.config
