"""One HTTP/1.0 request between its connection and the application."""

from __future__ import annotations

from email.utils import formatdate
from typing import Protocol

from pyroadrunner.asgi import ASGIApp, Message
from pyroadrunner.plugins.http.protocols.http10.head import RequestHead, answer
from pyroadrunner.plugins.http.protocols.request_body import BodyQueue


class ExchangeConnection(Protocol):
    """What an exchange needs from its connection."""

    async def write(self, data: bytes) -> None: ...

    def pause(self, full: bool) -> None: ...

    def ended(self, *, keep: bool) -> None: ...

    def abort(self) -> None: ...


class Http10Exchange:
    """One HTTP/1.0 request and its response."""

    def __init__(self, connection: ExchangeConnection, request: RequestHead) -> None:
        self._connection = connection
        self._keep = request.keep
        self._bodiless = request.scope["method"] == "HEAD"
        self._head = b""
        self.finished = False
        self.missing = request.length
        self.body_queue = BodyQueue(connection.pause, whole=not request.length)

    def __repr__(self) -> str:
        return f"Http10Exchange(missing={self.missing}, finished={self.finished})"

    def put(self, piece: bytes) -> None:
        """Add a piece of the body, at most ``missing`` bytes."""
        self.missing -= len(piece)
        self.body_queue.put(piece, end=not self.missing)

    async def run(self, app: ASGIApp, request: RequestHead) -> None:
        """Run the application. If it returns before the end of the response, close the connection."""
        await app(request.scope, self.body_queue.receive, self._send)
        if not self.finished and not self.body_queue.aborted:
            self._connection.abort()

    async def _send(self, message: Message) -> None:
        if self.body_queue.aborted:
            raise ConnectionResetError("the client has closed the connection")
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"date", formatdate(usegmt=True).encode())]
            self._head, self._keep = answer({**message, "headers": headers}, keep=self._keep)
            return
        if message["type"] != "http.response.body" or self.finished:
            return
        data = self._head + (b"" if self._bodiless else message.get("body", b""))
        self._head = b""
        self.finished = not message.get("more_body")
        if self.finished:
            self.body_queue.close()
        try:
            await self._connection.write(data)
        finally:
            if self.finished:
                self._connection.ended(keep=self._keep)
