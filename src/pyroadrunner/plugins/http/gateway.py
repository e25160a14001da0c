"""The outermost ASGI application: what the listener calls.

It keeps from the chain what is not for it (``OPTIONS *``, lifespan), and turns a WebSocket handshake into the GET that
it is: without a WebSocket plugin RoadRunner shows it to the worker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.plugins.http.response import EMPTY, body_message

_NO_HTTP2 = b"HTTP/2 without TLS is not served here (http.http2.h2c is off)\n"
_SCHEMES = {"ws": "http", "wss": "https"}


def chain(inner: ASGIApp, middleware: Iterable[Callable[[ASGIApp], ASGIApp]]) -> ASGIApp:
    """Put middleware around an application: the first of the list is the innermost, the last sees a request first."""
    for around in middleware:
        inner = around(inner)
    return inner


class Gateway:
    """Takes every scope.

    Args:
        http2: whether HTTP/2 is served here. The listener speaks it on every address, also after an ``Upgrade`` header
            that a proxy passes on without looking; behind such a proxy it must be possible to say no.
    """

    def __init__(self, app: ASGIApp, *, http2: bool = True) -> None:
        self._app = app
        self._http2 = http2

    def replace(self, app: ASGIApp) -> None:
        """Pass requests to another application from now on; those that run stay where they are."""
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
        raise NotImplementedError(kind)  # how an ASGI application says that it has no lifespan

    async def _options(self, send: Send) -> None:
        """``OPTIONS *``; a server takes the asterisk with no other method (RFC 9112 section 3.2.4)."""
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
