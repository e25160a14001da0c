"""The ``mercure`` section. Its keys are the directives of the reference hub."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, field

from pyroadrunner.config.values import Duration, StringList
from pyroadrunner.httpd.port_config import PortTlsConfig, port_faults
from pyroadrunner.remote.redis.config import RedisConfig
from pyroadrunner.workers.config import Count

Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
_SHORTEST = {"HS256": 32, "HS384": 48, "HS512": 64}
_WELL_KNOWN = "!ChangeThisMercureHubJWTSecretKey!"


class JwtConfig(msgspec.Struct, kw_only=True, frozen=True):
    """A key that verifies tokens."""

    key: str = ""
    """The secret (HS256, HS384, HS512), or the public key in PEM."""
    alg: Algorithm = "HS256"
    """Algorithm of the signatures; tokens with any other are refused."""


class SqliteConfig(msgspec.Struct, kw_only=True, frozen=True):
    """`mercure.sqlite`: a history in a file."""

    file: str = "mercure.db"
    """The file; a relative path starts at the server's working folder."""
    permissions: Annotated[int, Meta(ge=0, le=0o7777)] = 0o600
    """Mode of a new file."""
    synchronous: Literal["full", "normal"] = "normal"
    """`full`: published updates survive a power loss. `normal`: they survive a crash of the server."""


class HistoryConfig(msgspec.Struct, kw_only=True, frozen=True):
    """`mercure.history`: what subscribers can get after a reconnect."""

    size: Count = 10_000
    """Updates that are kept; 0 = all."""
    max_memory: Count = 64
    """MB that they may take with the store `memory`; 0 = no limit."""
    replay_unknown: bool = False
    """Whether a subscriber whose last id is not in the history gets all of it; otherwise it gets only new updates, and
    the response says `earliest`."""


class MercureConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``mercure``: a Mercure hub (in RoadRunner there is none)."""

    address: str = ""
    """A port of its own: `host:port`, `:port` or `unix://path`. Empty = the HTTP port."""
    tls: PortTlsConfig = PortTlsConfig()
    """Certificate of that port."""
    path: str = "/.well-known/mercure"
    """Path of the hub."""
    publisher_jwt: JwtConfig = JwtConfig()
    """Verifies the tokens of publishers. Without it, only workers can publish, over RPC."""
    subscriber_jwt: JwtConfig = JwtConfig()
    """Verifies the tokens of subscribers."""
    publisher_jwks_url: str = ""
    """A JSON Web Key Set instead of `publisher_jwt`: `https://...`, `http://...` or `file:///...`."""
    subscriber_jwks_url: str = ""
    """The same for subscribers."""
    issuer: str = ""
    """`iss` of tokens of Mercure 1.0; empty = any."""
    resource_identifier: str = ""
    """`aud` of tokens of Mercure 1.0; empty = `public_url`, if that is set."""
    public_url: str = ""
    """URL of the hub as clients see it: the base of relative URL patterns."""
    anonymous: bool = False
    """Whether subscribers may come without a token; they get public updates only."""
    publish_origins: StringList = field(default_factory=list)
    """Origins of pages that may publish with a cookie: `https://example.com`, with stars, or `*` = all."""
    cors_origins: StringList = field(default_factory=list)
    """Origins of pages that may subscribe from another host: `https://example.com`, with stars: `https://*.example.com`.
    `*` = all, but without cookies."""
    cookie_name: str = "mercureAuthorization"
    """Cookie with a token; `__Secure-mercure_access_token` is always read, too."""
    subscriptions: bool = False
    """Whether subscriptions are published as updates, and listed at `/subscriptions`."""
    heartbeat: Duration = 40.0
    """A comment is sent after so much silence; 0 = never."""
    dispatch_timeout: Duration = 5.0
    """How long a subscriber may take to read; then its connection is cut. 0 = no limit."""
    write_timeout: Duration = 600.0
    """Connections end after 80 to 100 % of it, at random; clients connect again on their own. 0 = never."""
    max_queue: Annotated[int, Meta(ge=1)] = 1000
    """Updates that may wait for a subscriber that reads slowly; with more it is cut."""
    max_buffer_size: Annotated[int, Meta(ge=1)] = 4096
    """KB of them."""
    max_subscribers: Count = 0
    """Concurrent subscribers of this server; one more gets 503. 0 = as many as the HTTP port takes connections."""
    max_topics: Annotated[int, Meta(ge=1)] = 1000
    """Selectors of one subscriber, and topics of one update."""
    max_request_body_size: Annotated[int, Meta(ge=1)] = 1024
    """KB of a published update."""
    drain_retry: Duration = 5.0
    """When the server stops or is replaced, subscribers are told to come back after a random part of it."""
    topic_selector_cache: Annotated[int, Meta(ge=1)] = 10_000
    """Compiled selectors that are remembered."""
    store: Literal["memory", "sqlite", "redis"] = "memory"
    """Where updates are kept. `redis`: all servers with the same Redis and `prefix` are one hub."""
    history: HistoryConfig = HistoryConfig()
    sqlite: SqliteConfig = SqliteConfig()
    prefix: str = "rr.mercure"
    """Prefix of the keys and channels in Redis."""
    config: RedisConfig | None = None
    """Connection to Redis; absent = the section `redis`, else its defaults."""

    def elsewhere(self) -> Iterable[tuple[str, type[msgspec.Struct]]]:
        """Without `config`, the section `redis` applies."""
        if self.store == "redis" and self.config is None:
            yield "redis", RedisConfig

    def absent(self) -> Iterable[tuple[str, str]]:
        """Settings of Redis that prevent a connection, TLS files that can't be used."""
        yield from ((f"config.{key}", message) for key, message in self._of_redis().absent())
        yield from ((f"tls.{one.key}", one.message) for one in self.tls.problems() if one.fatal)

    def doubtful(self) -> Iterable[tuple[str, str]]:
        yield from ((f"config.{key}", message) for key, message in self._of_redis().doubtful())
        yield from ((f"tls.{one.key}", one.message) for one in self.tls.problems() if not one.fatal)
        for name in ("publisher_jwt", "subscriber_jwt"):
            config: JwtConfig = getattr(self, name)
            if config.key == _WELL_KNOWN:
                yield (
                    f"{name}.key",
                    "is the published example: any program can sign tokens with it; set your own key",
                )
            elif config.key and len(config.key.encode()) < _SHORTEST.get(config.alg, 0):
                yield f"{name}.key", f"is short: {config.alg} needs {_SHORTEST[config.alg]} bytes"

    def _of_redis(self) -> RedisConfig:
        return self.config if self.store == "redis" and self.config is not None else RedisConfig()

    def faults(self) -> Iterable[tuple[str, str]]:
        yield from port_faults(self.address, self.tls)
        if not self.path.startswith("/") or self.path.endswith(("/", "*")):
            yield "path", f'"{self.path}" is no path of a hub: it starts with / and does not end with it'
        for name in ("publisher", "subscriber"):
            url: str = getattr(self, f"{name}_jwks_url")
            if url and urlsplit(url).scheme not in ("http", "https", "file"):
                yield f"{name}_jwks_url", f'"{url}" is no address: write https://..., http://... or file:///...'
            if url and getattr(self, f"{name}_jwt").key:
                yield f"{name}_jwks_url", f"is in the way of {name}_jwt.key: set one of them"
        if not self.anonymous and not self.subscriber_jwt.key and not self.subscriber_jwks_url:
            yield "subscriber_jwt", "no client can subscribe: set its key, subscriber_jwks_url, or anonymous: true"
        for name in ("publish_origins", "cors_origins"):
            for number, origin in enumerate(getattr(self, name)):
                if origin != "*" and "://" not in origin:
                    yield f"{name}.{number}", f'"{origin}" is not an origin: write https://example.com'
        if self.public_url and urlsplit(self.public_url).scheme not in ("http", "https"):
            yield "public_url", f'"{self.public_url}" is no URL: write https://example.com{self.path}'
