"""One client connection: reads a request, responds, waits for the next. Limits its bytes and its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic_ns

from pyroadrunner.admin.request import AdminRequest, RequestRefused, read_request
from pyroadrunner.admin.response import AdminResponse
from pyroadrunner.log import Log

MAX_HEAD = 16 * 1024  # bytes of a request head
_LINGER = 1.0  # seconds that a refused client has to finish sending
_LINGER_READS = 64

Handler = Callable[[AdminRequest], Awaitable[AdminResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Limits of a connection, in seconds.

    Attributes:
        read: from the first byte of a request head to its last.
        write: until the client has read a response.
        idle: until the next request begins.
    """

    read: float = 60.0
    write: float = 60.0
    idle: float = 60.0


class AdminConnection:
    """One client's connection.

    Args:
        answer: turns a request into its response.
        log: receives the errors of ``answer``.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Handler, timeouts: Timeouts, log: Log
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._timeouts = timeouts
        self._log = log
        self._ending = False
        self.busy = False  # a request has begun and has no response yet
        self.answering = False  # the whole request has arrived
        self.asked = False  # a request has been answered
        self.since = monotonic_ns()  # the time of the connect, or of the last response

    def __repr__(self) -> str:
        return f"AdminConnection({'busy' if self.busy else 'idle'}, ending={self._ending})"

    def end(self) -> None:
        """Close after the running request; immediately if no request is running. Idempotent."""
        self._ending = True
        if not self.busy:
            self._writer.transport.abort()

    def abort(self) -> None:
        """Close immediately and drop unsent data. Idempotent."""
        self._writer.transport.abort()

    async def serve(self) -> None:
        """Serve requests until the client disconnects, is too slow, or sends an invalid request. Raises nothing except
        on cancellation."""
        try:
            while not self._ending and await self._serve_one():
                pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError):  # caused by the client
            self._writer.transport.abort()
        finally:
            self.busy = False
            self._writer.close()

    async def _serve_one(self) -> bool:
        """Serve one request. Return whether the connection stays open for another."""
        async with asyncio.timeout(self._timeouts.idle):
            first = await self._reader.readexactly(1)
        self.busy = True
        try:
            async with asyncio.timeout(self._timeouts.read):
                rest = await self._reader.readuntil(b"\r\n\r\n")
            request = read_request(first + rest)
        except TimeoutError:
            return await self._refuse(AdminResponse(408, "408 the request took too long\n"))
        except asyncio.LimitOverrunError:
            return await self._refuse(AdminResponse(431, "431 the request is too large\n"))
        except RequestRefused as refused:
            return await self._refuse(refused.response)
        self.answering = True
        response = await self._answered(request)
        return await self._send(response, head=request.head, keep=request.keep_alive)

    async def _answered(self, request: AdminRequest) -> AdminResponse:
        try:
            return await self._answer(request)
        except Exception as error:  # a bug fails only this request
            self._log.error("request failed", path=request.path, error=f"{type(error).__name__}: {error}")
            return AdminResponse(500, "500 internal server error, see logs\n")

    async def _refuse(self, response: AdminResponse) -> bool:
        """Send the response, then read some of the remaining input. Closing a socket with unread bytes sends a reset,
        which may reach the client before the response does."""
        await self._send(response)
        if not self._writer.is_closing():
            self._writer.write_eof()
        async with asyncio.timeout(_LINGER):
            for _ in range(_LINGER_READS):
                if not await self._reader.read(MAX_HEAD):
                    break
        return False

    async def _send(self, response: AdminResponse, *, head: bool = False, keep: bool = False) -> bool:
        keep = keep and not self._ending
        self._writer.write(response.encode(head=head, close=not keep))
        async with asyncio.timeout(self._timeouts.write):
            await self._writer.drain()
        self.busy = self.answering = False
        self.asked = True
        self.since = monotonic_ns()
        return keep
