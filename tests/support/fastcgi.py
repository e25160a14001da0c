"""The web server's side of FastCGI, for tests with exact or hostile input."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.plugins.http.protocols.fastcgi.listener import FastCgiListener
from pyroadrunner.plugins.http.protocols.fastcgi.records import Record, RecordReader, Type, record, stream, write_pairs
from support.http import PATIENCE

VARIABLES = {b"REQUEST_METHOD": b"GET", b"REQUEST_URI": b"/", b"SERVER_PROTOCOL": b"HTTP/1.1", b"HTTP_HOST": b"ex.com"}


def begin(ident: int = 1, *, keep: bool = True, role: int = 1) -> bytes:
    return record(Type.BEGIN_REQUEST, ident, role.to_bytes(2, "big") + bytes((int(keep), 0, 0, 0, 0, 0)))


def params(ident: int = 1, **variables: str) -> bytes:
    pairs = {**VARIABLES, **{name.encode(): value.encode() for name, value in variables.items()}}
    return stream(Type.PARAMS, ident, write_pairs(pairs)) + record(Type.PARAMS, ident)


def ask(ident: int = 1, body: bytes = b"", *, keep: bool = True, **variables: str) -> bytes:
    """A whole request."""
    if body:
        variables = {"CONTENT_LENGTH": str(len(body)), "REQUEST_METHOD": "POST", **variables}
    data = begin(ident, keep=keep) + params(ident, **variables)
    return data + stream(Type.STDIN, ident, body) + record(Type.STDIN, ident)


class WebServer:
    """One connection to a FastCGI listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._records = RecordReader()
        self._found: list[Record] = []

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            self._writer.write(data)
            await self._writer.drain()

    async def next(self) -> Record | None:
        """The next record; ``None`` if the connection was closed."""
        async with asyncio.timeout(PATIENCE):
            while not self._found:
                try:
                    data = await self._reader.read(65536)
                except ConnectionResetError:
                    return None
                if not data:
                    return None
                self._found += self._records.feed(data)
        return self._found.pop(0)

    async def answer(self) -> bytes:
        """All of STDOUT until the end of a request, which must be successful."""
        out = b""
        while (found := await self.next()) is not None:
            if found.type == Type.STDOUT:
                out += found.content
            else:
                assert (found.type, found.content) == (Type.END_REQUEST, bytes(8)), found
                return out
        raise AssertionError(f"the connection was closed after {out!r}")

    def close(self) -> None:
        self._writer.close()


class Responder:
    """A running FastCGI listener."""

    def __init__(self, listener: FastCgiListener, port: int) -> None:
        self.listener = listener
        self.port = port

    async def connect(self) -> WebServer:
        return WebServer(*await asyncio.open_connection("127.0.0.1", self.port))


@asynccontextmanager
async def responding(app: ASGIApp) -> AsyncIterator[Responder]:
    """Serve an application over FastCGI on a free loopback port."""
    bound = BoundSockets(TcpAddress("127.0.0.1", 0))
    responder = Responder(FastCgiListener(app, bound), bound.port)
    await responder.listener.start()
    try:
        yield responder
    finally:
        responder.listener.refuse()
        await responder.listener.finish(0.0)
