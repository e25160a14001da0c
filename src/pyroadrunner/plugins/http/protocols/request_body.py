"""The queue for a request body between a connection and the application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyroadrunner.asgi import Message

_WAITING = 256 * 1024  # bytes queued for the application before reading from the connection is paused


class BodyQueue:
    """A connection puts data in, the application takes it out with ``receive``.

    Args:
        pause: called with ``True`` to pause reading from the connection, with ``False`` to resume it.

    Attributes:
        whole: whether the body is complete.
        closed: whether the response has been sent, so that the rest of the body is not needed.
        aborted: whether the client has disconnected.
    """

    def __init__(self, pause: Callable[[bool], None] | None = None, *, whole: bool = False) -> None:
        self._pause = pause
        self._paused = False
        self._body = bytearray()
        self._more = asyncio.Event()
        self.whole = whole
        self.closed = False
        self.aborted = False

    def put(self, data: bytes, *, end: bool) -> None:
        """Add a piece of the body."""
        self.whole = self.whole or end
        if not self.closed:
            self._body += data
            if len(self._body) > _WAITING:
                self._set(True)
        self._more.set()

    def close(self) -> None:
        """The response has been sent: drop the rest of the body."""
        self.closed = True
        self._body.clear()
        self._set(False)

    def abort(self) -> None:
        """The client has disconnected."""
        self.aborted = True
        self._more.set()

    async def receive(self) -> Message:
        """The ``receive`` callable of ASGI."""
        while not self._body and not self.whole and not self.aborted:
            self._more.clear()
            await self._more.wait()
        if self.aborted or self.closed:
            return {"type": "http.disconnect"}
        body = bytes(self._body)
        self._body.clear()
        self._set(False)
        return {"type": "http.request", "body": body, "more_body": not self.whole}

    def _set(self, paused: bool) -> None:
        if self._pause is not None and paused is not self._paused:
            self._paused = paused
            self._pause(paused)
