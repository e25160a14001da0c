"""The drivers of ``kv`` as subjects of one suite: how to start each, and where they may differ."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.memcached import memcached
from support.redis import redis_cluster, redis_sentinel, redis_server


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One driver with one kind of server behind it.

    Attributes:
        operations: prefix of its operations' names in errors.
        config: of its storage.
        early, late: milliseconds by which an item may expire too early, or be visible too long.
        tells_times: whether it supports TTL; ``tells_forever``: also for items without an expiry.
        keeps_past: whether an item set with a past expiry is kept, without an expiry.
        refuses_unknown: whether MExpire of a missing key is an error.
        blank_keys: the blank keys that Set accepts.
        below_zero: whether counters go below 0.
        largest: bytes of the largest value of the suite.
    """

    name: str
    operations: str
    config: dict[str, Any] = field(default_factory=dict)
    early: int = 0
    late: int = 0
    tells_times: bool = True
    tells_forever: bool = False
    keeps_past: bool = False
    refuses_unknown: bool = False
    blank_keys: tuple[str, ...] = ("", "  ")
    below_zero: bool = True
    largest: int = 10_000_000


SUBJECTS = [
    Subject(
        name="memory",
        operations="in_memory_plugin",
        config={"driver": "memory"},
        tells_forever=True,
        keeps_past=True,
    ),
    Subject(
        name="boltdb",
        operations="boltdb_driver",
        config={"driver": "boltdb", "config": {"file": "store.db"}},
        blank_keys=("  ",),
    ),
    Subject(
        name="memcached",
        operations="memcached_plugin",
        config={"driver": "memcached"},
        early=1000,
        late=2000,
        tells_times=False,
        refuses_unknown=True,
        blank_keys=(),
        below_zero=False,
        largest=1_000_000,
    ),
    Subject(name="redis", operations="redis_driver", config={"driver": "redis"}, late=50, keeps_past=True),
    Subject(name="redis-cluster", operations="redis_driver", config={"driver": "redis"}, late=50, keeps_past=True),
    Subject(name="redis-sentinel", operations="redis_driver", config={"driver": "redis"}, late=50, keeps_past=True),
]


@contextmanager
def running(subject: Subject, folder: Path) -> Iterator[dict[str, Any]]:
    """The config of the subject's storage, while its server is running."""
    with ExitStack() as stack:
        config: dict[str, Any] = {}
        if subject.name == "redis":
            config = {"addrs": [stack.enter_context(redis_server(folder)).address]}
        elif subject.name == "memcached":
            config = {"addr": [stack.enter_context(memcached(folder))[0] for _ in range(2)]}
        elif subject.name == "redis-cluster":
            config = {"addrs": [server.address for server in stack.enter_context(redis_cluster(folder))]}
        elif subject.name == "redis-sentinel":
            _, _, sentinel = stack.enter_context(redis_sentinel(folder, password="secret"))
            logins = {"password": "secret", "sentinel_password": "secret"}
            config = {"addrs": [sentinel.address], "master_name": "mymaster", **logins}
        yield {**subject.config, **({"config": config} if config else {})}
