"""The body of a request on its way from a connection to the application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyroadrunner.asgi import Message

_WAITING = 256 * 1024  # bytes that wait for the application before the connection is left alone


class BodyQueue:
    """Filled by a connection, emptied by ``receive``.

    Args:
        pause: called with ``True`` when the connection should not be read any more, with ``False`` when it should
            again.

    Attributes:
        whole: whether the body has come to its end.
        closed: whether nobody wants the rest: the answer is out.
        aborted: whether nobody waits for the answer.
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
        """A piece of the body."""
        self.whole = self.whole or end
        if not self.closed:
            self._body += data
            if len(self._body) > _WAITING:
                self._set(True)
        self._more.set()

    def close(self) -> None:
        """The answer is out: what still comes in is dropped."""
        self.closed = True
        self._body.clear()
        self._set(False)

    def abort(self) -> None:
        """The other end has left."""
        self.aborted = True
        self._more.set()

    async def receive(self) -> Message:
        """What ASGI calls by this name."""
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
