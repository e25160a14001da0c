"""The http plugin's listener in the test's own process, and clients that speak raw bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.httpd.engine import HttpListener
from pyroadrunner.httpd.http1.listener import Http1Listener
from pyroadrunner.net.address import TcpAddress, UnixAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.plugins.http.gateway import Gateway

# The two servers of plain HTTP/1: the one of ``http.address``, and that of ``http2.h2c`` (and of TLS).
ENGINES: dict[str, Callable[[ASGIApp, BoundSockets], Http1Listener | HttpListener]] = {
    "http1": Http1Listener,
    "h2corn": HttpListener,
}
Listening = Callable[..., AbstractAsyncContextManager["Served"]]  # the function below, with an engine
PATIENCE = 60.0  # seconds to wait for an event before the test fails


class Served:
    """A running listener.

    Attributes:
        listener: the listener itself, for tests that stop it.
    """

    def __init__(self, listener: Http1Listener | HttpListener, bound: BoundSockets) -> None:
        self.listener = listener
        self.port = bound.port
        self._path = bound.address.path if isinstance(bound.address, UnixAddress) else None

    async def connect(self) -> Client:
        """Open a connection."""
        if self._path is not None:
            return Client(*await asyncio.open_unix_connection(self._path))
        return Client(*await asyncio.open_connection("127.0.0.1", self.port))

    async def talk(self, request: bytes) -> bytes:
        """Send one request and read until the server closes."""
        client = await self.connect()
        try:
            await client.send(request)
            return await client.rest()
        finally:
            client.close()


class Client:
    """One connection. Every operation has a deadline, so that a test fails instead of hanging."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            try:
                self._writer.write(data)
                await self._writer.drain()
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server has already responded and closed; the response is read next

    async def until(self, text: bytes) -> bytes:
        """Read up to and including this text."""
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readuntil(text)

    async def exactly(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readexactly(size)

    async def rest(self) -> bytes:
        """Read until the server closes."""
        async with asyncio.timeout(PATIENCE):
            found = b""
            try:
                while data := await self._reader.read(65536):
                    found += data
            except ConnectionResetError:
                found += b"<reset>"
            return found

    def half_close(self) -> None:
        """Close the sending side."""
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        """Close the connection with a reset."""
        self._writer.transport.abort()


@asynccontextmanager
async def listening(app: ASGIApp, path: Path | None = None, *, engine: str = "http1") -> AsyncIterator[Served]:
    """Serve an application on a free loopback port, or on a unix socket.

    Args:
        engine: a key of ``ENGINES``.
    """
    bound = BoundSockets(UnixAddress(str(path)) if path is not None else TcpAddress("127.0.0.1", 0))
    listener = ENGINES[engine](Gateway(app), bound)
    served = Served(listener, bound)
    await listener.start()
    try:
        yield served
    finally:
        listener.refuse()
        await listener.finish(0.0)


def request(method: str = "GET", target: str = "/", body: bytes = b"", *, close: bool = True, **headers: str) -> bytes:
    """The bytes of a request; ``content_type="x"`` is the header ``Content-Type``."""
    lines = [f"{method} {target} HTTP/1.1", "Host: ex.com"]
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in headers.items()]
    if body and "transfer_encoding" not in headers and "content_length" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


def split(response: bytes) -> tuple[int, dict[str, list[str]], bytes]:
    """Status, headers (lower case) and the bytes after them."""
    head, _, body = response.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.lower(), []).append(value.strip())
    return int(first.split()[1]), headers, body
