"""The config of a Redis connection, with RoadRunner's keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from pyroadrunner.certificates import Problem, look_at
from pyroadrunner.config.values import Duration, StringList


class TlsConfig(msgspec.Struct, kw_only=True, frozen=True):
    """TLS (1.2 or newer) to Redis."""

    root_ca: str = ""
    """File with certificate authorities to trust besides those of the system."""
    cert: str = ""
    """File with the client's certificate (with `key`), if the server requires one."""
    key: str = ""
    """File with the private key of `cert`."""
    client_auth_type: str = ""
    """Accepted and ignored: it only makes sense for servers. RoadRunner's schema has it here, too."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if bool(self.cert) != bool(self.key):
            yield ("key" if self.cert else "cert"), "is missing: a certificate needs its key, and a key its certificate"

    def problems(self) -> list[Problem]:
        """The problems of the files."""
        return look_at(cert=self.cert, key=self.key, root_ca=self.root_ca)


class RedisConfig(msgspec.Struct, kw_only=True, frozen=True):
    """Redis: a server, a cluster, or a master behind sentinels."""

    addrs: StringList = msgspec.field(default_factory=lambda: ["127.0.0.1:6379"])
    """`host:port`. One: a server. More: nodes of a cluster. With `master_name`: sentinels."""
    db: Annotated[int, Meta(ge=0)] = 0
    """Number of the database; a cluster only has 0."""
    username: str = ""
    """User of Redis' access control lists."""
    password: str = ""
    """Password of the user, or of the server."""
    master_name: str = ""
    """The sentinels' name for the master. If set, `addrs` are sentinels."""
    sentinel_password: str = ""
    """Password of the sentinels."""
    route_by_latency: bool = False
    """Cluster: read from replicas too."""
    route_randomly: bool = False
    """Cluster: read from any node of a slot, replicas too."""
    read_only: bool = False
    """Cluster: read from replicas too."""
    max_retries: Annotated[int, Meta(ge=-1)] = 0
    """How often an operation is retried after a lost connection. 0: 3 times; -1: never."""
    min_retry_backoff: Duration = 0.0
    """Shortest wait before a retry. 0: 8ms."""
    max_retry_backoff: Duration = 0.0
    """Longest wait before a retry. 0: 512ms."""
    dial_timeout: Duration = 0.0
    """Time limit for connecting. 0: 5s."""
    read_timeout: Duration = 0.0
    """Time limit for a reply. 0: 3s."""
    write_timeout: Duration = 0.0
    """Accepted; one limit, the longer of this and `read_timeout`, covers sending and waiting for the reply."""
    pool_size: Annotated[int, Meta(ge=0)] = 0
    """Maximum number of concurrent operations. 0: 10 for each CPU."""
    pool_timeout: Duration = 0.0
    """How long an operation waits for its turn. 0: `read_timeout` plus 1s."""
    min_idle_conns: Annotated[int, Meta(ge=0)] = 0
    """Accepted and ignored: connections are opened on demand."""
    max_conn_age: Duration = 0.0
    """Accepted and ignored: a connection is kept as long as it works."""
    idle_timeout: Duration = 0.0
    """A connection that was idle for longer is not used again. 0: 30m."""
    idle_check_freq: Duration = 0.0
    """Accepted and ignored, as in RoadRunner."""
    tls: TlsConfig | None = None
    """If present, connect with TLS."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.addrs:
            yield "addrs", "should not be empty"

    def absent(self) -> Iterable[tuple[str, str]]:
        """TLS files that can't be used."""
        yield from self._tls_problems(fatal=True)

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """A certificate that is expired or not yet valid."""
        yield from self._tls_problems(fatal=False)

    def _tls_problems(self, *, fatal: bool) -> Iterable[tuple[str, str]]:
        for problem in self.tls.problems() if self.tls is not None else ():
            if problem.fatal is fatal:
                yield f"tls.{problem.key}", problem.message
