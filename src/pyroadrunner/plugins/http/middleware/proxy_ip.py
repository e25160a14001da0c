"""The client's address as a trusted proxy reports it. The middleware ``proxy_ip_parser``.

All inner layers see this address: the workers, the request log. (http.md, section 5.5)
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping, Sequence

from pyroadrunner.asgi import PEER, ASGIApp, Receive, Scope, Send
from pyroadrunner.plugins.http.middleware.registry import Around, Setup
from pyroadrunner.plugins.http.middleware.subnets import Subnets, read_address

_FORWARDED = b"forwarded"
_CHAINED = (_FORWARDED, b"x-forwarded-for")
# RoadRunner's order. If the first header is present, the next two are ignored.
_DEFAULT = (_FORWARDED, b"x-forwarded-for", b"x-real-ip", b"true-client-ip", b"cf-connecting-ip")
_HIDDEN = (b"x-forwarded-for", b"x-real-ip")
_FOR = re.compile(rb'(?:^|[;,])\s*for\s*=\s*(?:"([^"]*)"|([^;, |"]+))', re.IGNORECASE)


def build(setup: Setup) -> Around | None:
    """Make the layer from ``http.trusted_subnets`` and related keys."""
    config = setup.config
    if not config.trusted_subnets:
        return None
    subnets = Subnets(config.trusted_subnets)
    headers = [name.lower().encode() for name in config.trusted_headers]
    return lambda app: ProxyIp(app, subnets, headers, walk=config.trusted_walk)


class ProxyIp:
    """Replaces the client's address by the one that a trusted proxy reports.

    Args:
        app: the application.
        subnets: the trusted proxies.
        headers: lower-case names in order of precedence; empty = RoadRunner's.
        walk: in a list of addresses use the last that is not a trusted proxy, instead of the first.
    """

    def __init__(self, app: ASGIApp, subnets: Subnets, headers: Sequence[bytes] = (), *, walk: bool = False) -> None:
        self._app = app
        self._subnets = subnets
        self._default = not headers
        self._headers = tuple(headers) or _DEFAULT
        self._wanted = frozenset(self._headers)
        self._walk = walk

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] in ("http", "websocket"):
            client = scope.get("client")
            if self._subnets.trusts(client[0] if client else None):
                found = self._find(scope["headers"])
                if found is not None:
                    scope = {**scope, "client": (found, 0), PEER: client}
        return self._app(scope, receive, send)

    def _find(self, headers: Sequence[tuple[bytes, bytes]]) -> str | None:
        given: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in self._wanted:
                if name not in given:
                    given[name] = value
                elif self._walk:
                    given[name] += b"," + value
        return self._first(given) if given else None

    def _first(self, given: Mapping[bytes, bytes]) -> str | None:
        skipped = _HIDDEN if self._default and _FORWARDED in given else ()
        for name in self._headers:
            if name in given and name not in skipped:
                found = self._pick(name, given[name])
                if found is not None:
                    return found
        return None

    def _pick(self, name: bytes, value: bytes) -> str | None:
        items = _items(name, value)
        if not items:
            return None
        if not self._walk or name not in _CHAINED:
            return read_address(items[0].decode("latin-1"))
        for item in reversed(items):
            address = read_address(item.decode("latin-1"))
            if address is None or not self._subnets.trusts(address):
                return address
        return read_address(items[0].decode("latin-1"))


def _items(name: bytes, value: bytes) -> Sequence[bytes]:
    if name == _FORWARDED:
        return [quoted or bare for quoted, bare in _FOR.findall(value)]
    return value.split(b",")
