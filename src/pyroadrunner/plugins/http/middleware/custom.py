"""ASGI middleware of other packages, configured by class.

It is called like all ASGI middleware: ``Class(app, **options)``. The application inside does not see the server's
extensions, which the middleware may not know: files are sent in chunks, trailers stay headers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.errors import HttpError
from pyroadrunner.plugins.http.middleware.config import CustomConfig
from pyroadrunner.plugins.http.middleware.import_path import ImportPathError, import_path

log = Log("http")

_KEPT = "tls"  # informative only: it changes no messages


class MiddlewareError(HttpError):
    """A configured middleware that can't be created: its name, the cause, the fix."""


def build(name: str, config: HttpConfig) -> Callable[[ASGIApp], ASGIApp]:
    """Make the layer for a name in ``http.custom``, or for a class path.

    Raises:
        MiddlewareError: the class can't be imported, or, when it wraps an application, does not accept its options.
    """
    custom = config.custom.get(name) or CustomConfig(cls=name)
    try:
        made = import_path(custom.cls)
    except ImportPathError as wrong:
        raise MiddlewareError(f"http.middleware: {name}: {wrong}") from wrong
    status = config.internal_error_code if config.internal_error_code >= 200 else 500
    return lambda app: FailureGuard(_made(name, made, app, custom.options), name, status)


def _made(name: str, make: Callable[..., ASGIApp], app: ASGIApp, options: Mapping[str, Any]) -> ASGIApp:
    try:
        return make(WithoutExtensions(app), **options)
    except Exception as wrong:  # third-party constructor
        raise MiddlewareError(f"http.middleware: {name}: {type(wrong).__name__}: {wrong}") from wrong


class WithoutExtensions:
    """Removes the server's extensions from the scope of the inner application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        extensions = scope.get("extensions")
        if extensions:
            kept = {_KEPT: extensions[_KEPT]} if _KEPT in extensions else {}
            scope = {**scope, "extensions": kept}
        return self._app(scope, receive, send)


class FailureGuard:
    """Sends an error response if the middleware fails without a response, and logs the error.

    Args:
        app: the middleware.
        name: its name in the config.
        status: ``http.internal_error_code``.
    """

    def __init__(self, app: ASGIApp, name: str, status: int) -> None:
        self._app = app
        self._name = name
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = gone = False

        async def watched(message: Message) -> None:
            nonlocal started, gone
            started = True
            try:
                await send(message)
            except OSError:
                gone = True
                raise

        try:
            await self._app(scope, receive, watched)
        except Exception as wrong:  # third-party code
            if gone:
                return
            log.error("middleware failed", middleware=self._name, error=f"{type(wrong).__name__}: {wrong}")
            if not started and scope["type"] == "http":
                await self._fail(send)

    async def _fail(self, send: Send) -> None:
        headers = [(b"content-length", b"0")]
        try:
            await send({"type": "http.response.start", "status": self._status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        except OSError:
            pass  # the client has disconnected
