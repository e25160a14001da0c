"""Cross-origin requests: which pages of other sites may read responses. (http.md, section 5.1)

A preflight (``OPTIONS`` with ``Access-Control-Request-Method``) is handled here and never reaches a worker. To refuse,
the permission headers are omitted; the browser then blocks the page.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable
from typing import Any

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.middleware.config import CorsConfig

log = Log("http")

Pairs = list[tuple[bytes, bytes]]

_ASKS_FOR = b"access-control-request-method"
_ASKS_WITH = b"access-control-request-headers"
_VARY = (b"vary", b"Origin")
_VARY_ASKED = (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
_LONGEST_ORIGIN = 512  # bytes: a host has at most 253; longer origins are not matched against patterns
_PREFIX = b"access-control-"


class Policy:
    """The rules for origins, methods and headers. Pure.

    Args:
        config: ``http.headers.cors``; empty lists mean their defaults.
    """

    def __init__(self, config: CorsConfig) -> None:
        default = CorsConfig()
        origins = [origin.lower() for origin in config.allowed_origin]
        self._regex = re.compile(config.allowed_origin_regex) if config.allowed_origin_regex else None
        self._any_origin = self._regex is None and (not origins or "*" in origins)
        self._origins = frozenset(origin for origin in origins if "*" not in origin)
        self._patterns = [tuple(origin.split("*", 1)) for origin in origins if "*" in origin]
        self._methods = frozenset(
            method.encode() for method in (*(config.allowed_methods or default.allowed_methods), "OPTIONS")
        )
        names = {name.lower().encode() for name in config.allowed_headers or default.allowed_headers}
        self._any_header = b"*" in names
        self._headers = names | {b"origin"}
        self._credentials: Pairs = [(b"access-control-allow-credentials", b"true")] if config.allow_credentials else []
        exposed = ", ".join("-".join(map(str.capitalize, name.split("-"))) for name in config.exposed_headers)
        self._exposed: Pairs = [(b"access-control-expose-headers", exposed.encode())] if exposed else []
        self._max_age: Pairs = [(b"access-control-max-age", b"%d" % max(config.max_age, 0))] if config.max_age else []
        self.status = config.options_success_status if config.options_success_status >= 200 else 200
        self.debug = config.debug

    def preflight(self, origin: bytes | None, method: bytes, wanted: bytes | None) -> Pairs:
        """The response headers of a preflight.

        Args:
            wanted: headers the page wants to send, as the browser lists them; ``None`` = none.
        """
        if not self.allows_origin(origin) or method not in self._methods or not self._allows_headers(wanted or b""):
            return [_VARY_ASKED]
        return [
            _VARY_ASKED,
            self._allow_origin(origin),
            (b"access-control-allow-methods", method),
            *([(b"access-control-allow-headers", wanted)] if wanted else ()),
            *self._credentials,
            *self._max_age,
        ]

    def actual(self, origin: bytes | None, method: str) -> Pairs:
        """Headers added to the response to any other request."""
        if not self.allows_origin(origin) or method.encode() not in self._methods:
            return [_VARY]
        return [_VARY, self._allow_origin(origin), *self._exposed, *self._credentials]

    def allows_origin(self, origin: bytes | None) -> bool:
        """Whether pages of an origin may read responses; ``False`` if it is ``None`` or empty."""
        if not origin:
            return False
        if self._any_origin:
            return True
        if len(origin) > _LONGEST_ORIGIN:
            return False
        text = origin.decode("latin-1")
        if self._regex is not None:
            return self._regex.search(text) is not None
        text = text.lower()
        return text in self._origins or any(
            len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)
            for before, after in self._patterns
        )

    def _allow_origin(self, origin: bytes | None) -> tuple[bytes, bytes]:
        return (b"access-control-allow-origin", b"*" if self._any_origin else origin or b"")

    def _allows_headers(self, wanted: bytes) -> bool:
        if self._any_header:
            return True
        # In lower case, as the Fetch standard requires of browsers; RoadRunner refuses others, too.
        return all(name.strip() in self._headers for name in wanted.split(b",") if name.strip())


class Cors:
    """Handles preflights, and adds permission headers to the responses of ``app``."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        origin = method = None
        for name, value in scope["headers"]:
            if name == b"origin":
                origin = value
            elif name == _ASKS_FOR:
                method = value
        if method and scope["method"] == "OPTIONS":
            return self._answer(scope, origin, method, send)
        added = self._policy.actual(origin, scope["method"])
        if self._policy.debug:
            _log(scope, origin, added)

        def permit(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*added, *_without(added, message.get("headers", ()))]}
            return send(message)

        return self._app(scope, receive, permit)

    async def _answer(self, scope: Scope, origin: bytes | None, method: bytes, send: Send) -> None:
        wanted = [value for name, value in scope["headers"] if name == _ASKS_WITH]
        headers = self._policy.preflight(origin, method, b", ".join(wanted) or None)
        if self._policy.debug:
            _log(scope, origin, headers, asked=method.decode("latin-1"))
        if self._policy.status != 204:
            headers.append((b"content-length", b"0"))
        try:
            await send({"type": "http.response.start", "status": self._policy.status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        except OSError:
            pass  # the client has disconnected


def _without(added: Pairs, theirs: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    """The worker's headers without those set here: browsers reject a response with two permissions."""
    if len(added) == 1:
        return theirs
    decided = {name for name, _ in added if name.startswith(_PREFIX)}
    return [pair for pair in theirs if pair[0] not in decided]


def _log(scope: Scope, origin: bytes | None, headers: Pairs, **more: Any) -> None:
    log.info(
        "cors",
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        origin=(origin or b"").decode("latin-1"),
        allowed=len(headers) > 1,
        **more,
    )
