"""Logs a line per request, after its response. It is the innermost layer, as in RoadRunner: responses of other
middleware are not logged.

Laravel Octane reads these lines: ``http log`` with ``status``, ``method``, ``URI``, ``remote_address``, and ``elapsed``
as a whole number of milliseconds. Fields that RoadRunner does not have follow those.

Values of a query that are secrets are masked: a token of Mercure (``authorization``), the signature of a backend of the
Pusher protocol (``auth_signature``), with which the request could be repeated, and the ``access_token`` of RFC 6750:
WebSocket clients in browsers can't send a header.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from pyroadrunner.asgi import REQUEST_ID, TRACE_ID, ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.httpd.http1.whole import ServeWhole, WholeExchange
from pyroadrunner.log import Log

_SECRETS = re.compile(r"(?i)(?<![^&])(authorization|auth_signature|access_token)=[^&]*")

log = Log("http")


class AccessLog:
    """Logs requests at level info, and slow requests as a warning; costs two comparisons when both are off.

    Args:
        app: the application.
        long: ``http.access_logs``: log the long line instead of the short one.
        slow: ``http.slow_request``: minimum duration of a slow request, in seconds; 0 = off.
    """

    def __init__(self, app: ASGIApp, *, long: bool, slow: float = 0.0) -> None:
        self._app = app
        self._serve_whole: ServeWhole | None = getattr(app, "serve_whole", None)
        self._long = long
        self._slow = slow

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        if log.enabled_for(logging.INFO):
            return self._logged(scope, receive, send)
        return self._watched(scope, receive, send) if self._slow else self._app(scope, receive, send)

    def serve_whole(self, exchange: WholeExchange, body: bytes) -> bool:
        """Pass on a request that is not logged; see ``httpd.http1.whole``."""
        if self._serve_whole is None or self._slow or log.enabled_for(logging.INFO):
            return False
        return self._serve_whole(exchange, body)

    async def _logged(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = datetime.now(UTC)
        began = monotonic()
        counted = _Counting(receive, send)
        try:
            await self._app(scope, counted.receive, counted.send)
        finally:
            passed = monotonic() - began
            elapsed = int(passed * 1000)
            if self._long:
                log.info("http access log", **_long_line(scope, counted, start, elapsed), **_ids(scope))
            else:
                log.info("http log", **_short_line(scope, counted, start, elapsed), **_ids(scope))
            self._complain(scope, passed)

    async def _watched(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = monotonic()
        try:
            await self._app(scope, receive, send)
        finally:
            self._complain(scope, monotonic() - began)

    def _complain(self, scope: Scope, passed: float) -> None:
        if 0 < self._slow <= passed:
            path = scope["raw_path"].decode("utf-8", "replace")
            log.warning("slow request", method=scope["method"], path=path, elapsed=int(passed * 1000), **_ids(scope))


class _Counting:
    """Counts the bytes of a request and its response, and records the status."""

    __slots__ = ("_receive", "_send", "read", "status", "written")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.status = 0  # stays 0 if the client disconnects before the response
        self.read = 0
        self.written = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self.read += len(message.get("body", b""))
        return message

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.body":
            self.written += len(message.get("body", b""))
        elif message["type"] == "http.response.start":
            self.status = message["status"]
        return self._send(message)


def remote_address(scope: Scope) -> str:
    """``ip:port`` of the peer, or ``ip`` if it has no port."""
    client = scope.get("client")
    if not client:
        return "127.0.0.1"
    host, port = client
    if not port:
        return str(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ids(scope: Scope) -> dict[str, str]:
    found = {}
    if REQUEST_ID in scope:
        found["request_id"] = scope[REQUEST_ID]
    if TRACE_ID in scope:
        found["trace_id"] = scope[TRACE_ID]
    return found


def target(scope: Scope) -> str:
    """Path and query as the client sent them, but for secrets."""
    path: str = scope["raw_path"].decode("utf-8", "replace")
    query = _query(scope)
    return f"{path}?{query}" if query else path


def _query(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    text = query.decode("utf-8", "replace")
    return _SECRETS.sub(r"\1=***", text) if query else ""


def _short_line(scope: Scope, counted: _Counting, start: datetime, elapsed: int) -> dict[str, Any]:
    uri = target(scope)
    return {
        "status": counted.status,
        "method": scope["method"],
        "URI": uri,
        "URL": uri,
        "remote_address": remote_address(scope),
        "read_bytes": counted.read,
        "write_bytes": counted.written,
        "start": start,
        "elapsed": elapsed,
    }


def _long_line(scope: Scope, counted: _Counting, start: datetime, elapsed: int) -> dict[str, Any]:
    uri = target(scope)
    headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))  # the first header of a name wins
    length = headers.get(b"content-length", b"")

    def header(name: bytes) -> str:
        return headers.get(name, b"").decode("utf-8", "replace")

    now = datetime.now(UTC)
    return {
        "read_bytes": counted.read,
        "write_bytes": counted.written,
        "status": counted.status,
        "method": scope["method"],
        "URI": uri,
        "URL": uri,
        "remote_address": remote_address(scope),
        "query": _query(scope),
        "content_len": int(length) if length.isdigit() else -1 if b"transfer-encoding" in headers else 0,
        "host": header(b"host"),
        "user_agent": header(b"user-agent"),
        "referer": header(b"referer"),
        "time_local": now.astimezone().strftime("%d/%b/%y:%H:%M:%S %z"),
        "request_time": now,
        "start": start,
        "elapsed": elapsed,
    }
