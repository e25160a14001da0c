"""The ``websocket`` section."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import field

from pyroadrunner.config.values import Duration, StringList, StringMap
from pyroadrunner.httpd.port_config import PortTlsConfig, port_faults
from pyroadrunner.plugins.websocket.pusher.config import AppConfig
from pyroadrunner.remote.redis.config import RedisConfig
from pyroadrunner.workers.config import Count, PoolConfig

_MIN_PRESENCE_TTL = 1.0

Event = Literal["connect", "message", "close"]


class LimitsConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``websocket.limits``: each bounds what one client, or all of them, can cost."""

    max_connections: Count = 0
    """Open WebSockets; one more gets 503. 0 = as many as the HTTP port takes connections."""
    max_message_size: Count = 1024
    """KB of a message from a client, decompressed; a larger one closes the connection with 1009."""
    max_buffer_size: Count = 1024
    """KB that may wait for a client that reads too slowly."""
    slow_clients: Literal["disconnect", "drop_oldest"] = "disconnect"
    """What happens above `max_buffer_size`: close with 1008, or drop the oldest waiting messages."""
    messages_per_second: Count = 0
    """Messages from one client; one with more is closed with 1008. Bursts of twice as many are allowed. 0 = no
    limit."""
    max_topics: Count = 100
    """Topics that one client may follow."""


class HistoryConfig(msgspec.Struct, kw_only=True, frozen=True):
    """The publications of a topic that a client can get after a reconnect."""

    size: Count = 0
    """Publications kept per topic; 0 = none."""
    ttl: Duration = 300.0
    """How long they are kept."""


class TopicConfig(msgspec.Struct, kw_only=True, frozen=True):
    """An entry of ``websocket.topics``: settings of topics by their name."""

    match: StringList
    """Names, or with stars that match any text: `chat.*`. The first entry that matches a topic counts."""
    history: HistoryConfig = HistoryConfig()
    presence: bool = False
    """Whether `websocket.Presence` knows who follows the topic."""
    public: bool = False
    """Any client may follow the topic by the query of its handshake, `?topic=NAME`; otherwise only a worker can join
    it."""


class WebSocketConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``websocket``: a WebSocket server whose clients talk to workers and follow topics (not in RoadRunner)."""

    address: str = ""
    """A port of its own for all paths of this section: `host:port`, `:port` or `unix://path`. Empty = the HTTP port."""
    tls: PortTlsConfig = PortTlsConfig()
    """Certificate of that port."""
    path: str = "/ws"
    """Path of the sockets."""
    allowed_origins: StringList = field(default_factory=list)
    """Origins of pages that may connect: `https://example.com`, with stars: `https://*.example.com`, or `*` = all.
    Empty = only pages of the same host. Clients that are no browsers send no origin, and are not checked."""
    events: list[Event] = field(default_factory=lambda: ["connect", "message", "close"])
    """Events that go to workers. Empty = no workers are started: every client may connect, and nothing that it sends is
    read."""
    pool: PoolConfig = PoolConfig()
    """The workers."""
    env: StringMap = field(default_factory=dict)
    """Environment of the workers, over `server.env`."""
    sse_path: str = ""
    """Path of Server-Sent Events of public topics: `/sse?topic=NAME`. Empty = there are none."""
    apps: list[AppConfig] = field(default_factory=list)
    """Applications that speak the Pusher protocol: Laravel Echo, `pusher-js`."""
    apps_path: str = ""
    """Prefix of `/app/KEY` and `/apps/ID`."""
    topics: list[TopicConfig] = field(default_factory=list)
    """Settings of topics."""
    limits: LimitsConfig = LimitsConfig()
    driver: Literal["memory", "redis"] = "memory"
    """`memory`: topics of this server only. `redis`: of all servers with the same Redis and `prefix`."""
    prefix: str = "rr.websocket"
    """Prefix of the keys and channels in Redis."""
    config: RedisConfig | None = None
    """Connection to Redis; absent = the section `redis`, else its defaults."""
    presence_ttl: Duration = 15.0
    """With Redis: clients of a server that has died are no longer present after this time."""
    compression: bool = True
    """Whether permessage-deflate is accepted, on plain HTTP/1.1; over TLS and HTTP/2 it always is."""
    ping_interval: Duration = 30.0
    """A client that was silent for so long gets a ping; 0 = never. Over TLS and HTTP/2 it is 60 s."""
    ping_timeout: Duration = 30.0
    """How long it may take to answer; then its connection is cut."""
    drain_timeout: Duration = 10.0
    """When the server stops or is replaced, connections are closed with 1012 over so many seconds, not all at once, so
    that their clients do not come back all at once."""

    def elsewhere(self) -> Iterable[tuple[str, type[msgspec.Struct]]]:
        """Without `config`, the section `redis` applies."""
        if self.driver == "redis" and self.config is None:
            yield "redis", RedisConfig

    def absent(self) -> Iterable[tuple[str, str]]:
        """Settings of Redis that prevent a connection, TLS files that can't be used."""
        yield from ((f"config.{key}", message) for key, message in self._of_redis().absent())

        yield from ((f"tls.{one.key}", one.message) for one in self.tls.problems() if one.fatal)

    def doubtful(self) -> Iterable[tuple[str, str]]:
        yield from ((f"config.{key}", message) for key, message in self._of_redis().doubtful())
        yield from ((f"tls.{one.key}", one.message) for one in self.tls.problems() if not one.fatal)

    def _of_redis(self) -> RedisConfig:
        return self.config if self.driver == "redis" and self.config is not None else RedisConfig()

    def faults(self) -> Iterable[tuple[str, str]]:
        yield from port_faults(self.address, self.tls)
        if not self.path.startswith("/"):
            yield "path", f'"{self.path}" matches no request: a path starts with /'
        if self.sse_path and not self.sse_path.startswith("/"):
            yield "sse_path", f'"{self.sse_path}" matches no request: a path starts with /'
        if self.apps_path and (not self.apps_path.startswith("/") or self.apps_path.endswith("/")):
            yield "apps_path", f'"{self.apps_path}" is no prefix of a path: it begins with / and does not end with it'
        if self.presence_ttl < _MIN_PRESENCE_TTL:
            yield "presence_ttl", f"should be {_MIN_PRESENCE_TTL:g}s or more: servers renew it three times in that time"
        for name in ("id", "key"):
            seen: set[str] = set()
            for number, app in enumerate(self.apps):
                value = getattr(app, name)
                if value in seen:
                    yield f"apps.{number}.{name}", f'"{value}" is used by another application too'
                seen.add(value)
        for number, origin in enumerate(self.allowed_origins):
            if origin != "*" and "://" not in origin:
                yield f"allowed_origins.{number}", f'"{origin}" is not an origin: write https://example.com'
        for number, topic in enumerate(self.topics):
            if not topic.match:
                yield f"topics.{number}.match", "matches no topic"
