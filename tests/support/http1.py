"""A connection of the HTTP/1 server without a socket: the test is the client, the clock is virtual.

client = Wire(app)
client.send(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
await turns()
assert client.received.startswith(b"HTTP/1.1 200")
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.httpd.http1.connection import Connection
from pyroadrunner.httpd.http1.listener import Http1Listener
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class FakeTransport(asyncio.Transport):
    """A transport as strict as uvloop's: using it after its end is an error.

    Attributes:
        received: what the client has read.
        reading: whether the server reads.
        stalled: whether the client reads nothing: what the server writes waits.
        ended: whether the server has closed its sending side and the client has read everything before.
        aborted: whether the server dropped the connection.
        lost: whether the protocol knows that the connection has closed.
        peak: the most bytes that have waited.
    """

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": ("192.0.2.1", 4321), "sockname": ("192.0.2.2", 80)})
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._high = 1 << 16
        self._full = False
        self._eof = False
        self._closing = False
        self.received = bytearray()
        self.reading = True
        self.stalled = False
        self.ended = False
        self.aborted = False
        self.lost = False
        self.peak = 0

    # what the server uses

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high or 0

    def get_write_buffer_size(self) -> int:
        return len(self._waiting)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self._check_open()
        if self._eof:
            raise RuntimeError("write after write_eof")
        self._waiting += data
        if not self.stalled:
            self._flush()
        self.peak = max(self.peak, len(self._waiting))
        if len(self._waiting) > self._high and not self._full:
            self._full = True
            self._protocol.pause_writing()

    def writelines(self, pieces: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self.write(b"".join(pieces))

    def write_eof(self) -> None:
        self._check_open()
        self._eof = True
        if not self._waiting:
            self.ended = True

    def pause_reading(self) -> None:
        self._check_open()
        self.reading = False

    def resume_reading(self) -> None:
        self._check_open()
        self.reading = True

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self.reading = False
            if not self._waiting:
                self.ended = True
                self._lose(None)

    def abort(self) -> None:
        self.aborted = True
        self._waiting.clear()
        self._closing = True
        self._lose(None)

    # what the client does

    def read(self, size: int | None = None) -> None:
        """Read some of what waits."""
        self._flush(size)

    def reset(self) -> None:
        """Reset the connection."""
        self._closing = True
        self._waiting.clear()
        self._lose(ConnectionResetError())

    def _flush(self, size: int | None = None) -> None:
        size = len(self._waiting) if size is None else size
        self.received += self._waiting[:size]
        del self._waiting[:size]
        if self._full and len(self._waiting) <= self._high // 4:
            self._full = False
            self._protocol.resume_writing()
        if not self._waiting:
            if self._eof:
                self.ended = True
            if self._closing:
                self.ended = True
                self._lose(None)

    def _check_open(self) -> None:
        if self._closing:
            raise RuntimeError("the handler is closed")

    def _lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self._loop.call_soon(self._protocol.connection_lost, error)


class Wire:
    """One client connected to a server of an application.

    Attributes:
        connection: the server's side.
        listener: of the server.
    """

    def __init__(self, app: ASGIApp, limits: Limits | None = None, *, listener: Http1Listener | None = None) -> None:
        self.listener = listener or serve(app, limits)
        self.connection = Connection(self.listener)
        self.transport = FakeTransport(self.connection)
        self.connection.connection_made(self.transport)

    @property
    def received(self) -> bytes:
        return bytes(self.transport.received)

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection, or its sending side."""
        return self.transport.ended or self.transport.lost

    def take(self) -> bytes:
        """What was read since the last call."""
        data = self.received
        self.transport.received.clear()
        return data

    def send(self, *pieces: bytes) -> None:
        """Send each piece on its own, as long as the server reads."""
        for piece in pieces:
            if piece and self.transport.reading and not self.transport.is_closing():
                self.connection.data_received(piece)

    def finish(self) -> None:
        """Close the sending side."""
        if not self.transport.is_closing() and not self.connection.eof_received():
            self.transport.close()

    def reset(self) -> None:
        self.transport.reset()


def serve(app: ASGIApp, limits: Limits | None = None) -> Http1Listener:
    """A listener without sockets, whose clock runs."""
    listener = Http1Listener(app, BoundSockets.of(TcpAddress("192.0.2.2", 80), []), limits)
    listener._tick()
    return listener


class Recorder:
    """An ASGI application that keeps the requests it gets, and answers when the test allows it.

    Attributes:
        asked: method, target and body of each request.
        errors: what ``send`` and ``receive`` raised.
        go_on: unset = the application waits before its answer.
    """

    def __init__(self, body: bytes = b"ok", **start: Any) -> None:
        self._body = body
        self._start = {"type": "http.response.start", "status": 200, "headers": [], **start}
        self.asked: list[tuple[str, bytes, bytes]] = []
        self.scopes: list[Scope] = []
        self.ended: list[str] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        try:
            body = bytearray()
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    self.ended.append("disconnect")
                    return
                body += message["body"]
                more = message["more_body"]
            self.asked.append((scope["method"], scope["raw_path"], bytes(body)))
            await self.go_on.wait()
            await send(dict(self._start))
            await send({"type": "http.response.body", "body": self._body})
            self.ended.append("ok")
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        except OSError:
            self.ended.append("gone")


def answers(*messages: Message) -> ASGIApp:
    """An application that sends these messages and reads nothing."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(dict(message))

    return cast("ASGIApp", app)


def start(status: int = 200, *headers: tuple[bytes, bytes], **more: Any) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(data: bytes = b"", more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}
