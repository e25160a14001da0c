"""Paths of the HTTP port that other plugins serve. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.contracts import HttpMount
from pyroadrunner.httpd.http1.whole import ServeWhole, WholeExchange


class Mounts:
    """Finds the application of a path."""

    def __init__(self, mounts: Sequence[HttpMount]) -> None:
        self._exact = {mount.path: mount.app for mount in mounts if not mount.path.endswith("/*")}
        self._below = [(mount.path[:-1], mount.app) for mount in mounts if mount.path.endswith("/*")]
        # What a raw path may begin with to be one of these; others are not even decoded.
        self._starts = tuple(path.encode() for path in (*self._exact, *(prefix for prefix, _ in self._below)))

    def __repr__(self) -> str:
        return f"Mounts({[*self._exact, *(prefix for prefix, _ in self._below)]})"

    def may_match(self, raw_path: bytes) -> bool:
        """Whether a path may be one of these; ``False`` is certain."""
        return raw_path.startswith(self._starts) or b"%" in raw_path

    def find(self, path: str) -> ASGIApp | None:
        """The application of a decoded path."""
        found = self._exact.get(path)
        if found is not None:
            return found
        return next((app for prefix, app in self._below if path.startswith(prefix)), None)


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
