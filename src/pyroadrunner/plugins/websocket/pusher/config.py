"""``websocket.apps``: applications that speak the Pusher protocol."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import field

from pyroadrunner.config.values import Duration, StringList
from pyroadrunner.workers.config import Count


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

    def faults(self) -> Iterable[tuple[str, str]]:
        for name in ("id", "key", "secret"):
            if not getattr(self, name):
                yield name, "should not be empty"
            elif "/" in getattr(self, name) and name != "secret":
                yield name, "should not have a slash: it is a part of a path"
