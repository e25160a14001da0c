"""Counts requests and their durations for ``metrics``. The middleware ``http_metrics``.

It counts the requests that pass through it: as the last in the list it is the outermost, and counts all.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from time import monotonic

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.plugins.http.counters import RequestCounters
from pyroadrunner.plugins.http.errors import NO_WORKERS
from pyroadrunner.plugins.http.middleware.registry import Around, Setup

_CLIENT_LEFT = 499  # nginx's status for a request whose client disconnected before the response


def build(setup: Setup) -> Around | None:
    """Make the layer; it has no options."""
    return partial(HttpMetrics, counters=setup.counters)


class HttpMetrics:
    """Counts each request; reads the clock at its start and end.

    Args:
        app: the application.
        counters: the counters to update.
    """

    def __init__(self, app: ASGIApp, counters: RequestCounters) -> None:
        self._app = app
        self._counters = counters

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        return self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0
        began = monotonic()

        def seen(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status >= 500 and NO_WORKERS in message.get("headers", ()):
                    self._counters.no_free_workers += 1
            return send(message)

        try:
            await self._app(scope, receive, seen)
        except Exception:
            status = status or 500  # the status that the outer layer sends
            raise
        finally:
            self._counters.add(status or _CLIENT_LEFT, monotonic() - began)
