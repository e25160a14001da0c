"""The outermost ASGI application, called by the listeners.

It handles what the chain does not expect (``OPTIONS *``, lifespan). A WebSocket handshake is passed on as the GET
request that it is: without a WebSocket plugin RoadRunner passes it to the worker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.plugins.http.response import EMPTY, body_message

_NO_HTTP2 = b"HTTP/2 without TLS is not served here (http.http2.h2c is off)\n"
_SCHEMES = {"ws": "http", "wss": "https"}


def chain(inner: ASGIApp, middleware: Iterable[Callable[[ASGIApp], ASGIApp]]) -> ASGIApp:
    """Wrap an application in middleware: the first of the list is the innermost, the last one gets a request first."""
    for around in middleware:
        inner = around(inner)
    return inner


class Gateway:
    """Handles every scope.

    Args:
        http2: whether HTTP/2 is served here. The listener supports it on every address, even after an ``Upgrade``
            header that a proxy forwards unchecked. Behind such a proxy it must be possible to disable it.
    """

    def __init__(self, app: ASGIApp, *, http2: bool = True) -> None:
        self._app = app
        self._http2 = http2

    def replace(self, app: ASGIApp) -> None:
        """Pass new requests to another application. Running requests are not affected."""
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        kind = scope["type"]
        if not self._http2 and scope.get("http_version") == "2":
            return _refuse_http2(scope, send)
        if kind == "http":
            if scope["raw_path"] == b"*":
                return self._options(send)
            return self._app(scope, receive, send)
        if kind == "websocket":
            return self._handshake(scope, receive, send)
        raise NotImplementedError(kind)  # the ASGI way to reject lifespan

    async def _options(self, send: Send) -> None:
        """Respond to ``OPTIONS *``; no other method may have the asterisk (RFC 9112 section 3.2.4)."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send(body_message(EMPTY))

    async def _handshake(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        if "websocket.http.response" not in scope.get("extensions", ()):
            await send({"type": "websocket.close"})
            return
        request = {
            **scope,
            "type": "http",
            "method": "GET",
            "scheme": _SCHEMES[scope["scheme"]],
            "extensions": {},
        }

        async def no_body() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def answer(message: Message) -> None:
            await send({**message, "type": f"websocket.{message['type']}"})

        await self._app(request, no_body, answer)


async def _refuse_http2(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(_NO_HTTP2))]
    await send({"type": "http.response.start", "status": 505, "headers": headers})
    await send(body_message(_NO_HTTP2))
