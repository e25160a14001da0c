"""The ``dashboard`` section."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import msgspec

from pyroadrunner.config.values import Duration, StringList
from pyroadrunner.net.address import InvalidAddress, TcpAddress, parse_address

_SHORTEST_TOKEN, _SHORTEST_PASSWORD = 16, 8  # characters


class UserConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``dashboard.users.<name>``: a user, with the name in lower case."""

    password: str
    """At least 8 characters; better a variable of the environment: `${DASHBOARD_PASSWORD}`."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if len(self.password) < _SHORTEST_PASSWORD:
            yield "password", f"needs at least {_SHORTEST_PASSWORD} characters"


class SslConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``dashboard.ssl``: serve HTTPS."""

    cert: str
    """Path of the certificate and its chain (PEM)."""
    key: str
    """Path of its private key (PEM)."""


class DashboardConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``dashboard``: a web page that shows what the server does, and steers it. Not in RoadRunner."""

    address: str = "127.0.0.1:2115"
    """`host:port`, `:port` or `unix://path`."""
    token: str = ""
    """Secret to sign in with, at least 16 characters; better a variable of the environment: `${DASHBOARD_TOKEN}`.
    `token` or `users` is required."""
    users: dict[str, UserConfig] = msgspec.field(default_factory=dict)
    """Users who sign in with name and password."""
    read_only: bool = False
    """Whether to show only, and refuse every action."""
    hosts: StringList = msgspec.field(default_factory=list)
    """Host names under which browsers reach the dashboard, besides `localhost` and IP addresses; `*` = any. Others are
    refused, since a name of a stranger may point here (DNS rebinding)."""
    session_ttl: Duration = 43_200.0
    """How long a browser stays signed in without a request."""
    ssl: SslConfig | None = None
    """Certificate for HTTPS; absent = HTTP."""

    def faults(self) -> Iterable[tuple[str, str]]:
        try:
            parse_address(self.address, default_scheme="tcp")
        except InvalidAddress as wrong:
            yield "address", str(wrong)
        if not self.token and not self.users:
            yield "", "needs a `token` or `users`: without, everyone who reaches the address could stop the workers"
        if self.token and len(self.token) < _SHORTEST_TOKEN:
            yield "token", f"needs at least {_SHORTEST_TOKEN} characters; `openssl rand -hex 16` makes one"

    def warnings(self) -> Iterable[tuple[str, str]]:
        """Secrets over a network without encryption."""
        try:
            address = parse_address(self.address, default_scheme="tcp")
        except InvalidAddress:
            return
        if self.ssl is None and isinstance(address, TcpAddress) and not _loopback(address.host):
            yield "address", "is reachable from other machines without TLS: set `ssl`, or use a proxy with HTTPS"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
