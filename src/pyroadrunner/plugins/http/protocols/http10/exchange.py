"""One request of HTTP/1.0, between its connection and the application."""

from __future__ import annotations

from email.utils import formatdate
from typing import Protocol

from pyroadrunner.asgi import ASGIApp, Message
from pyroadrunner.plugins.http.protocols.body_queue import Inbox
from pyroadrunner.plugins.http.protocols.http10.head import Request, answer


class Line(Protocol):
    """What an exchange asks of its connection."""

    async def write(self, data: bytes) -> None: ...

    def hold(self, full: bool) -> None: ...

    def ended(self, *, keep: bool) -> None: ...

    def cut(self) -> None: ...


class Exchange:
    """One request of HTTP/1.0 and its answer."""

    def __init__(self, connection: Line, request: Request) -> None:
        self._connection = connection
        self._keep = request.keep
        self._bodiless = request.scope["method"] == "HEAD"
        self._head = b""
        self.finished = False
        self.missing = request.length
        self.inbox = Inbox(connection.hold, whole=not request.length)

    def __repr__(self) -> str:
        return f"Exchange(missing={self.missing}, finished={self.finished})"

    def take(self, piece: bytes) -> None:
        """A piece of the body, no more than is missing."""
        self.missing -= len(piece)
        self.inbox.take(piece, end=not self.missing)

    async def run(self, app: ASGIApp, request: Request) -> None:
        """Have it answered. An application that returns without an end of its answer has the connection cut."""
        await app(request.scope, self.inbox.receive, self._send)
        if not self.finished and not self.inbox.aborted:
            self._connection.cut()

    async def _send(self, message: Message) -> None:
        if self.inbox.aborted:
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
            self.inbox.close()
        try:
            await self._connection.write(data)
        finally:
            if self.finished:
                self._connection.ended(keep=self._keep)
