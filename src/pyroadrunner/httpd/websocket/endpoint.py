"""The ASGI application that opens WebSockets."""

from __future__ import annotations

from collections.abc import Callable

from pyroadrunner.asgi import SWITCH, Receive, Scope, Send, Switch
from pyroadrunner.httpd.websocket.asgi_socket import AsgiSocket
from pyroadrunner.httpd.websocket.contract import Accepted, Handshake, Refused, WebSocketApp
from pyroadrunner.httpd.websocket.handshake import Opening, is_handshake, open_handshake, subprotocols
from pyroadrunner.httpd.websocket.socket import TransportSocket

_NOT_ASKED = Refused(
    status=426,
    body=b"this address serves WebSocket\n",
    headers=[(b"content-type", b"text/plain; charset=utf-8"), (b"upgrade", b"websocket")],
)
_CLIENT_LEFT = Refused(status=499)
_UNSUPPORTED = Refused(status=501, body=b"this server can't serve WebSocket on this connection\n")


class WebSocketEndpoint:
    """Opens WebSockets for an application.

    Args:
        compression: whether permessage-deflate is accepted on our HTTP/1 server; h2corn always accepts it.
    """

    def __init__(self, app: WebSocketApp, *, compression: Callable[[], bool] = lambda: True) -> None:
        self._app = app
        self._compression = compression

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._serve_asgi(scope, receive, send)
            return
        await _respond(await self._open(scope), send)

    async def _open(self, scope: Scope) -> Refused:
        """Open a socket on a connection of our HTTP/1 server."""
        if not is_handshake(scope):
            return _NOT_ASKED
        switch: Switch | None = scope.get(SWITCH)
        if switch is None:
            return _UNSUPPORTED
        opening = open_handshake(scope, compression=self._compression())
        if isinstance(opening, Refused):
            return opening
        answer = await self._app.accept(_handshake(scope))
        if isinstance(answer, Refused):
            return answer
        socket = TransportSocket(answer.handler, answer.limits, opening.extensions)
        try:
            switch(b"websocket", _headers(answer, opening), socket)
        except ConnectionResetError:
            answer.handler.closed(1006, "")
            return _CLIENT_LEFT
        return Refused(status=101)  # for the middleware; the client has it

    async def _serve_asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        answer = await self._app.accept(_handshake(scope))
        if isinstance(answer, Refused):
            if "websocket.http.response" in scope.get("extensions", ()):
                await _respond(answer, send, "websocket.")
            else:
                await send({"type": "websocket.close"})
            return
        await send(
            {
                "type": "websocket.accept",
                "subprotocol": answer.subprotocol or None,
                "headers": list(answer.headers),
            }
        )
        await AsgiSocket(answer.handler, answer.limits, receive, send).run()


def _handshake(scope: Scope) -> Handshake:
    pairs = scope["headers"]
    offered = scope.get("subprotocols") or subprotocols(pairs)
    return Handshake(scope=scope, headers=dict(reversed(pairs)), subprotocols=offered)


def _headers(answer: Accepted, opening: Opening) -> list[tuple[bytes, bytes]]:
    headers = [(b"sec-websocket-accept", opening.accept)]
    if opening.extension_header:
        headers.append((b"sec-websocket-extensions", opening.extension_header))
    if answer.subprotocol:
        headers.append((b"sec-websocket-protocol", answer.subprotocol.encode()))
    return [*headers, *answer.headers]


async def _respond(answer: Refused, send: Send, prefix: str = "") -> None:
    headers = list(answer.headers)
    if answer.status >= 200:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": f"{prefix}http.response.start", "status": answer.status, "headers": headers})
    await send({"type": f"{prefix}http.response.body", "body": answer.body})
