"""The transport of one connection, for the protocols implemented here: FastCGI, and what the forwarding inspects."""

from __future__ import annotations

import asyncio
from typing import cast


class Transport(asyncio.Protocol):
    """Writes wait until the peer reads; reading can be paused."""

    def __init__(self, peer: str) -> None:
        """
        Args:
            peer: a name for the peer in errors.
        """
        self._peer = peer
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports do not inherit from it

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._writable.set()

    def abort(self) -> None:
        """Close immediately: the peer sees a response without an end."""
        if self._transport is not None:
            self._transport.abort()

    async def write(self, data: bytes) -> None:
        """Send data; return when the write buffer has space again.

        Raises:
            ConnectionResetError: the connection is closed.
        """
        if self._lost or self._transport is None or self._transport.is_closing():
            raise ConnectionResetError(f"the {self._peer} has closed the connection")
        self._transport.write(data)
        if not self._writable.is_set():
            await self._writable.wait()

    def pause(self, full: bool) -> None:
        """Pause reading from the socket, or resume it."""
        if self._transport is None or self._transport.is_closing():
            return
        if full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
