"""Adds configured headers to every request and every response. (http.md, section 5.1)"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.plugins.http.middleware.cors import Cors, Policy
from pyroadrunner.plugins.http.middleware.registry import Around, Setup

Pairs = list[tuple[bytes, bytes]]

_CONTENT_TYPE = b"content-type"


def build(setup: Setup) -> Around | None:
    """Make the layer from ``http.headers``."""
    config = setup.config.headers
    if config is None:
        return None
    policy = Policy(config.cors) if config.cors is not None else None
    request, response = pairs(config.request), pairs(config.response)

    def around(app: ASGIApp) -> ASGIApp:
        if policy is not None:
            app = Cors(app, policy)
        return Headers(app, request, response) if request or response else app

    return around if policy is not None or request or response else None


def pairs(headers: Mapping[str, str]) -> Pairs:
    """Headers of the config in ASGI form."""
    return [(name.lower().encode(), value.strip().encode()) for name, value in headers.items()]


class Headers:
    """Adds headers.

    Args:
        app: the application.
        request: appended to the headers of a request.
        response: prepended to the headers of a response, even if no worker sent it. The worker's headers are kept, as
            in RoadRunner. Only ``content-type`` must be unique, so it is added only if the response has none.
    """

    def __init__(self, app: ASGIApp, request: Pairs, response: Pairs) -> None:
        self._app = app
        self._request = request
        self._response = [pair for pair in response if pair[0] != _CONTENT_TYPE]
        self._type = [pair for pair in response if pair[0] == _CONTENT_TYPE]

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        if self._request:
            scope = {**scope, "headers": [*scope["headers"], *self._request]}

        def answer(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._around(message.get("headers", ()))}
            return send(message)

        return self._app(scope, receive, answer)

    def _around(self, theirs: Iterable[tuple[bytes, bytes]]) -> Pairs:
        headers = [*self._response, *theirs]
        if self._type and not any(name == _CONTENT_TYPE for name, _ in headers):
            headers += self._type
        return headers
