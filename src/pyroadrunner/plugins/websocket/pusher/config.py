"""``websocket.apps``: applications that speak the Pusher protocol."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import field

from pyroadrunner.config.values import Duration, StringList, StringMap
from pyroadrunner.workers.config import Count

WebhookEvent = Literal[
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
    "subscription_count",
]


class WebhookConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """An entry of ``webhooks``: an address that gets events of the channels."""

    url: str
    """`https://example.com/pusher/webhooks`, or a path of the application behind `http`: `/pusher/webhooks`."""
    events: list[WebhookEvent] = field(default_factory=list)
    """Which events; empty = all."""
    channels: StringList = field(default_factory=list)
    """Of which channels: names, with stars for any text: `presence-*`. Empty = all."""
    headers: StringMap = field(default_factory=dict)
    """More headers of the request."""
    timeout: Duration = 10.0
    """Of one attempt."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if self.url.startswith("/") and not self.url.startswith("//"):
            return
        try:
            parts = urlsplit(self.url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            yield "url", f'"{self.url}" is neither an http or https address nor a path such as /pusher/webhooks'
        if self.timeout <= 0:
            yield "timeout", "should be positive"


class AppConfig(msgspec.Struct, kw_only=True, frozen=True):
    """One application; those of Laravel's ``.env`` fit: ``${REVERB_APP_ID}``, ``_KEY``, ``_SECRET``."""

    id: str
    """In the paths of the HTTP API."""
    key: str
    """In the address that clients connect to: `/app/KEY`. Public."""
    secret: str
    """Signs what backends allow. Never sent."""
    allowed_origins: StringList = field(default_factory=lambda: ["*"])
    """Origins of pages that may connect, as in `websocket.allowed_origins`."""
    max_connections: Count = 0
    """Connected clients of this application; one more gets error 4004. 0 = no limit."""
    max_message_size: Count = 10
    """KB of an event from a client."""
    max_event_size: Count = 100
    """KB of the `data` of an event from a backend; Pusher itself allows 10."""
    activity_timeout: Duration = 30.0
    """After this silence a client sends a ping, and the server expects one."""
    client_events: Literal["members", "all", "none"] = "members"
    """Who may send `client-...` events: subscribers of a private or presence channel; `none` = no client. `all` means
    the same."""
    client_events_per_second: Count = 10
    """From one client; more gets error 4301. 0 = no limit."""
    subscription_count: bool = False
    """Whether subscribers are told the number of subscribers of a channel, in `pusher:subscription_count`. Not in
    presence channels, which have members."""
    watchlists: bool = True
    """Whether signed-in clients may watch which other users are online."""
    webhooks: list[WebhookConfig] = field(default_factory=list)
    """Addresses that get events of the channels: occupied, members and so on."""

    def faults(self) -> Iterable[tuple[str, str]]:
        for name in ("id", "key", "secret"):
            if not getattr(self, name):
                yield name, "should not be empty"
            elif "/" in getattr(self, name) and name != "secret":
                yield name, "should not have a slash: it is a part of a path"
