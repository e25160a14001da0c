"""Serves the paths of the HTTP port that other plugins mount. Pure."""

from __future__ import annotations

from collections.abc import Awaitable

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.httpd.http1.whole import ServeWhole, WholeExchange
from pyroadrunner.httpd.mounts import Mounts


class Mounted:
    """Serves mounted paths; all others go to the next application."""

    def __init__(self, app: ASGIApp, mounts: Mounts) -> None:
        self._app = app
        self._serve_whole: ServeWhole | None = getattr(app, "serve_whole", None)
        self._mounts = mounts

    def __repr__(self) -> str:
        return f"Mounted({self._mounts}, {self._app})"

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        app = self._mounts.find(scope["path"]) or self._app
        return app(scope, receive, send)

    def serve_whole(self, exchange: WholeExchange, body: bytes) -> bool:
        """Pass a request on; see ``httpd.http1.whole``."""
        if self._serve_whole is None:
            return False
        if self._mounts.may_match(exchange.head.path) and self._mounts.find(exchange.scope["path"]) is not None:
            return False
        return self._serve_whole(exchange, body)
