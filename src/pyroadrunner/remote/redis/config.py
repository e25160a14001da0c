"""How to reach Redis, in RoadRunner's keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from pyroadrunner.certificates import Problem, look_at
from pyroadrunner.config.values import Duration, StringList


class TlsConfig(msgspec.Struct, kw_only=True, frozen=True):
    """TLS 1.2 or newer to Redis."""

    root_ca: str = ""
    """File of certificate authorities trusted beside those of the system."""
    cert: str = ""
    """File of the client's certificate (with `key`), where the server asks for one."""
    key: str = ""
    """File of the key of `cert`."""
    client_auth_type: str = ""
    """Accepted and ignored: it says what a server asks of its clients. RoadRunner's schema has it here, too."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if bool(self.cert) != bool(self.key):
            yield ("key" if self.cert else "cert"), "is missing: a certificate needs its key, and a key its certificate"

    def problems(self) -> list[Problem]:
        """What is wrong with the files."""
        return look_at(cert=self.cert, key=self.key, root_ca=self.root_ca)


class RedisConfig(msgspec.Struct, kw_only=True, frozen=True):
    """Redis: a server, a cluster, or the master that sentinels name."""

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
    """How often an operation is tried again when its connection was lost. 0: 3 times; -1: never."""
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

    def absent(self) -> Iterable[tuple[str, str]]:
        """Files of TLS that can't be used."""
        yield from self._tls_problems(fatal=True)

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """A certificate that is not in its time."""
        yield from self._tls_problems(fatal=False)

    def _tls_problems(self, *, fatal: bool) -> Iterable[tuple[str, str]]:
        for problem in self.tls.problems() if self.tls is not None else ():
            if problem.fatal is fatal:
                yield f"tls.{problem.key}", problem.message
