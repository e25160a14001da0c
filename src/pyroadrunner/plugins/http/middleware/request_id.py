"""An id for each request: in its log lines, for the worker and for the client. The middleware ``request_id`` (not in
RoadRunner).

It also reads the trace id of the request for its log lines, unless the middleware ``otel`` has set one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Iterable

from pyroadrunner.asgi import REQUEST_ID, TRACE_ID, ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.plugins.http.middleware.registry import Around, Setup

_NAME = b"x-request-id"
# The id goes into logs, headers and perhaps a shell: only letters, digits and usual separators, limited in length.
_SANE = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")
# W3C Trace Context, section 3.2: version, trace id, parent id, flags; later versions may have more. No id is all zeros.
_TRACE = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def build(setup: Setup) -> Around | None:
    """Make the layer; it has no options."""
    return RequestId


class RequestId:
    """Keeps the client's ``X-Request-Id`` if it is valid, otherwise generates one.

    Args:
        app: the inner application; it finds the ids in the scope.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        given = []
        trace = b""
        for name, value in scope["headers"]:
            if name == _NAME:
                given.append(value)
            elif name == b"traceparent":
                trace = value
        own = given[0] if given and _SANE.fullmatch(given[0]) else os.urandom(16).hex().encode()
        scope = {**scope, REQUEST_ID: own.decode()}
        if given != [own]:
            scope["headers"] = [*_without_id(scope["headers"]), (_NAME, own)]
        if trace and TRACE_ID not in scope and (found := _TRACE.fullmatch(trace)):
            scope[TRACE_ID] = found[1].decode()

        def answer(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*_without_id(message.get("headers", ())), (_NAME, own)]}
            return send(message)

        return self._app(scope, receive, answer)


def _without_id(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [pair for pair in headers if pair[0] != _NAME]
