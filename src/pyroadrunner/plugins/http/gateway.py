"""The outermost ASGI application, called by the listeners.

It handles what the chain does not expect (``OPTIONS *``, lifespan). A WebSocket handshake for a path that no plugin
serves is passed on as the GET request that it is: RoadRunner passes it to the worker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.httpd.http1.whole import ServeWhole, WholeExchange
from pyroadrunner.httpd.mounts import Mounts
from pyroadrunner.plugins.http.response import EMPTY, body_message

_SCHEMES = {"ws": "http", "wss": "https"}


def chain(inner: ASGIApp, middleware: Iterable[Callable[[ASGIApp], ASGIApp]]) -> ASGIApp:
    """Wrap an application in middleware: the first of the list is the innermost, the last one gets a request first."""
    for around in middleware:
        inner = around(inner)
    return inner


class Gateway:
    """Handles every scope.

    Args:
        mounts: the paths that other plugins serve.
    """

    def __init__(self, app: ASGIApp, mounts: Mounts | None = None) -> None:
        self._mounts = mounts
        self.replace(app)

    def replace(self, app: ASGIApp) -> None:
        """Pass new requests to another application. Running requests are not affected."""
        self._app = app
        self._serve_whole: ServeWhole | None = getattr(app, "serve_whole", None)

    def serve_whole(self, exchange: WholeExchange, body: bytes) -> bool:
        """Pass a request on; see ``httpd.http1.whole``."""
        if self._serve_whole is None or exchange.head.path == b"*":
            return False
        return self._serve_whole(exchange, body)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        kind = scope["type"]
        if kind == "http":
            if scope["raw_path"] == b"*":
                return self._options(send)
            return self._app(scope, receive, send)
        if kind == "websocket":
            if self._mounts is not None and self._mounts.find(scope["path"]) is not None:
                return self._app(scope, receive, send)
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
