"""Settings of the redis driver with the defaults of go-redis, which RoadRunner does not change. The only module that
reads ``RedisConfig``."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass

from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig, TlsConfig

PORT = 6379

Address = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class RedisSettings:
    """The settings of a connection. Times are seconds.

    Attributes:
        username, password: empty = none.
        retries: attempts after the first one.
        pool_size: concurrent operations; ``pool_timeout``: how long an operation waits for its turn.
        idle: a connection that was idle for longer is not used again.
    """

    addresses: list[Address]
    db: int
    username: str
    password: str
    master: str
    sentinel_password: str
    dial_timeout: float
    timeout: float
    retries: int
    min_backoff: float
    max_backoff: float
    pool_size: int
    pool_timeout: float
    idle: float
    tls: TlsConfig | None

    @classmethod
    def of(cls, config: RedisConfig) -> RedisSettings:
        """The settings of a config.

        Raises:
            StoreError: an address is invalid; a cluster has a database other than 0; a TLS file can't be used.
        """
        timeout = max(config.read_timeout or 3.0, config.write_timeout)
        longest = config.max_retry_backoff or 0.512
        settings = cls(
            addresses=[_address(text) for text in config.addrs],
            db=config.db,
            username=config.username,
            password=config.password,
            master=config.master_name,
            sentinel_password=config.sentinel_password,
            dial_timeout=config.dial_timeout or 5.0,
            timeout=timeout,
            retries={0: 3, -1: 0}.get(config.max_retries, config.max_retries),
            min_backoff=min(config.min_retry_backoff or 0.008, longest),
            max_backoff=longest,
            pool_size=config.pool_size or 10 * (os.cpu_count() or 1),
            pool_timeout=config.pool_timeout or timeout + 1.0,
            idle=config.idle_timeout or 1800.0,
            tls=config.tls,
        )
        if settings.clustered and settings.db:
            raise StoreError(f"a cluster has only the database 0, not {settings.db}; remove `db`")
        settings.tls_context()
        return settings

    @property
    def clustered(self) -> bool:
        """Whether it is a cluster, by the rule of go-redis (``NewUniversalClient``)."""
        return len(self.addresses) > 1 and not self.master

    def tls_context(self) -> ssl.SSLContext | None:
        """A new context for each connection, so that the next connection uses a renewed certificate.

        Raises:
            StoreError: a file can't be used.
        """
        if self.tls is None:
            return None
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            if self.tls.root_ca:
                context.load_verify_locations(cafile=self.tls.root_ca)
            if self.tls.cert:
                context.load_cert_chain(self.tls.cert, self.tls.key, password=_refuse_password)
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            fatal = [problem.message for problem in self.tls.problems() if problem.fatal]
            raise StoreError(f"tls: {'; '.join(fatal) or error}") from error
        return context


def _refuse_password() -> str:
    raise ValueError("the key is encrypted")  # otherwise OpenSSL asks for a password on the terminal


def _address(text: str) -> Address:
    host, colon, port = text.removeprefix("redis://").rpartition(":")
    if not colon:
        return text, PORT
    if not port.isdecimal():
        raise StoreError(f"{text!r} is not a valid address; write host:port")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)
