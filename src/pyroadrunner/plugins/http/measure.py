"""Measures the requests that plugins watch (``contracts.WatchesRequests``)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from pyroadrunner.asgi import Message, Send
from pyroadrunner.contracts import WatchesRequests

Ended = Callable[[int, float], None]

_CLIENT_LEFT = 499  # nginx's status for a request whose client disconnected before the response


def ended_of(watching: Sequence[WatchesRequests]) -> Ended | None:
    """One function that tells all of them; ``None`` if there are none."""
    told = [plugin.request_watcher() for plugin in watching]
    if len(told) < 2:
        return told[0] if told else None

    def tell(status: int, seconds: float) -> None:
        for one in told:
            one(status, seconds)

    return tell


async def measured(ended: Ended, began: float, send: Send, serve: Callable[[Send], Awaitable[None]]) -> None:
    """Serve a request and tell its status and duration."""
    status = 0

    def seen(message: Message) -> Awaitable[None]:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        return send(message)

    try:
        await serve(seen)
    finally:
        ended(status or _CLIENT_LEFT, monotonic() - began)
