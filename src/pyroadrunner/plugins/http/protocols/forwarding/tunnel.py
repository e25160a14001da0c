"""Forwards a connection to the engine, byte by byte."""

from __future__ import annotations

import asyncio
from typing import cast

from pyroadrunner.plugins.http.protocols.forwarding.upstream import Upstream


class Tunnel(asyncio.Protocol):
    """The connection to the engine.

    Args:
        client: the client's connection.
        first: bytes already received from the client.
    """

    def __init__(self, client: asyncio.Transport, upstream: Upstream, first: bytes) -> None:
        self._client = client
        self._upstream = upstream
        self._first = bytearray(first)
        self._transport: asyncio.Transport | None = None
        self._ended = False
        self._closed = False

    async def connect(self) -> None:
        """Connect to the engine. Until then, the client's data waits in its socket.

        Raises:
            OSError: the engine is not reachable.
        """
        self._client.pause_reading()
        await self._upstream.connect(self, self._client)

    def write(self, data: bytes) -> None:
        """Forward data from the client."""
        if self._transport is None:
            self._first += data
        elif not self._transport.is_closing():
            self._transport.write(data)

    def write_eof(self) -> None:
        """The client has closed its sending side."""
        if self._transport is None:
            self._ended = True
        elif not self._transport.is_closing():
            self._transport.write_eof()

    def pause(self, full: bool) -> None:
        """Pause reading from the engine if the client reads too slowly, or resume it."""
        if self._transport is not None and not self._transport.is_closing():
            if full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def close(self) -> None:
        """The client has disconnected."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._closed:
            self._transport.close()
            return
        self._transport.write(bytes(self._first))
        self._first.clear()
        if self._ended:
            self._transport.write_eof()
        if not self._client.is_closing():
            self._client.resume_reading()

    def data_received(self, data: bytes) -> None:
        if not self._client.is_closing():
            self._client.write(data)

    def eof_received(self) -> bool:
        if not self._client.is_closing():
            self._client.close()
        return False

    def pause_writing(self) -> None:
        if not self._client.is_closing():
            self._client.pause_reading()

    def resume_writing(self) -> None:
        if not self._client.is_closing():
            self._client.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream.closed(self)
        if exc is not None:
            self._client.abort()  # the engine reset the connection: do the same
        else:
            self._client.close()
