"""A client of the admin HTTP endpoints that works with raw bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pyroadrunner.net.address import Address, TcpAddress


@dataclass(frozen=True)
class Answer:
    """A response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Browser:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def get(self, target: str = "/", *fields: str, method: str = "GET") -> Answer:
        self.send("\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *fields, "", ""]).encode())
        return await self.answer(head=method == "HEAD")

    async def answer(self, *, head: bool = False) -> Answer:
        """The next response; an ``IncompleteReadError`` if the server has closed the connection."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
        body = b"" if head else await self.reader.readexactly(int(headers["content-length"]))
        return Answer(int(lines[0].split(" ")[1]), headers, body)

    async def closed(self) -> bool:
        """Wait until the server closes the connection. Return whether it sent no more data."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def browser_of(address: Address) -> AsyncIterator[Browser]:
    """A client connected to an endpoint."""
    if isinstance(address, TcpAddress):
        browser = Browser(*await asyncio.open_connection(address.to_connect().host, address.port))
    else:
        browser = Browser(*await asyncio.open_unix_connection(address.path))
    try:
        yield browser
    finally:
        browser.close()


async def get(address: Address, target: str = "/", *, method: str = "GET") -> Answer:
    """One request on its own connection."""
    async with browser_of(address) as browser:
        return await browser.get(target, method=method)
