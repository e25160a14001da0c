"""The ``kv`` section: names the user chose, each with a driver and its settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pyroadrunner.config.values import NAMED, Duration, StringList


class MemoryConfig(msgspec.Struct, kw_only=True, frozen=True):
    """A storage in the memory of the server."""

    max_items: Annotated[int, Meta(ge=0)] = 0
    """Most keys it holds; the least recently used one makes room. 0: no limit."""
    max_bytes: Annotated[int, Meta(ge=0)] = 0
    """Most bytes of keys and values it holds; the least recently used ones make room. 0: no limit."""


class BoltdbConfig(msgspec.Struct, kw_only=True, frozen=True):
    """A storage in one file, kept in SQLite."""

    file: str = "rr.db"
    """The file; a relative path begins in the folder the server works in."""
    permissions: Annotated[int, Meta(ge=0, le=0o7777)] = 0o755
    """Mode of the file when it is made, such as 0600."""
    interval: Annotated[int, Meta(gt=0)] = 60
    """Seconds between two sweeps of expired items; they are not readable before either."""
    synchronous: Literal["full", "normal"] = "full"
    """`full`: what was acknowledged outlives a loss of power. `normal`: it outlives the end of the server, not that."""
    bucket: str = ""
    """Accepted and ignored, as in RoadRunner."""


class MemcachedConfig(msgspec.Struct, kw_only=True, frozen=True):
    """A storage on memcached servers."""

    addr: StringList = msgspec.field(default_factory=lambda: ["127.0.0.1:11211"])
    """`host:port` of each server; keys are spread over them by hash."""
    timeout: Duration = 1.0
    """How long an operation may take, connecting included."""


class TlsConfig(msgspec.Struct, kw_only=True, frozen=True):
    """TLS 1.2 or newer to Redis."""

    root_ca: str = ""
    """File of certificate authorities trusted beside those of the system."""
    cert: str = ""
    """File of the client's certificate (with `key`), where the server asks for one."""
    key: str = ""
    """File of the key of `cert`."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if bool(self.cert) != bool(self.key):
            yield ("key" if self.cert else "cert"), "is missing: a certificate needs its key, and a key its certificate"


class RedisConfig(msgspec.Struct, kw_only=True, frozen=True):
    """A storage in Redis: a server, a cluster, or the master that sentinels name."""

    addrs: StringList = msgspec.field(default_factory=lambda: ["127.0.0.1:6379"])
    """`host:port`. One: a server. More: nodes of a cluster. With `master_name`: sentinels."""
    db: Annotated[int, Meta(ge=0)] = 0
    """Number of the database; a cluster has only 0."""
    username: str = ""
    """User of Redis' access control lists."""
    password: str = ""
    """Password of the user, or of the server."""
    master_name: str = ""
    """Name under which the sentinels know the master; not empty: `addrs` are sentinels."""
    sentinel_password: str = ""
    """Password of the sentinels."""
    route_by_latency: bool = False
    """Cluster: read from replicas too."""
    route_randomly: bool = False
    """Cluster: read from any node of a slot, replicas too."""
    read_only: bool = False
    """Cluster: read from replicas too."""
    max_retries: Annotated[int, Meta(ge=-1)] = 0
    """How often a failed operation is tried again. 0: 3 times; -1: never."""
    min_retry_backoff: Duration = 0.0
    """Least wait before it is. 0: 8ms."""
    max_retry_backoff: Duration = 0.0
    """Longest wait before it is. 0: 512ms."""
    dial_timeout: Duration = 0.0
    """How long connecting may take. 0: 5s."""
    read_timeout: Duration = 0.0
    """How long an answer may take. 0: 3s."""
    write_timeout: Duration = 0.0
    """Accepted; sending and waiting for the answer share `read_timeout`, the longer of the two."""
    pool_size: Annotated[int, Meta(ge=0)] = 0
    """Most operations at a time. 0: 10 for each CPU."""
    pool_timeout: Duration = 0.0
    """How long an operation waits for its turn. 0: `read_timeout` and 1s."""
    min_idle_conns: Annotated[int, Meta(ge=0)] = 0
    """Accepted and ignored: connections are opened when they are needed."""
    max_conn_age: Duration = 0.0
    """Accepted and ignored: a connection is kept as long as it works."""
    idle_timeout: Duration = 0.0
    """A connection that was idle for longer is not trusted. 0: 30m."""
    idle_check_freq: Duration = 0.0
    """Accepted and ignored, as in RoadRunner."""
    tls: TlsConfig | None = None
    """Present: speak TLS."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.addrs:
            yield "addrs", "should not be empty"


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
        """A storage without `config` has its settings in the section named like it."""
        for name, storage in self.storages.items():
            if storage.config is None:
                yield name, SETTINGS[type(storage)]
