"""Sends a streamed response, chunk by chunk, from the worker to the client.

The first head with a final status is used; heads of later chunks are ignored (newer PHP clients repeat them). Interim
responses (1xx) are sent when they come, if the server can, and their headers again with the final one, as in
RoadRunner. If the stream is not read to its end, the worker is asked to stop it, also on cancellation: the server
cancels a request when its client disconnects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pyroadrunner.asgi import Send
from pyroadrunner.plugins.http.error_log import log
from pyroadrunner.plugins.http.errors import BadReply
from pyroadrunner.plugins.http.response import (
    EMPTY,
    Head,
    body_message,
    informational_message,
    merge,
    read_head,
    start_message,
    trailers_message,
)
from pyroadrunner.workers.payload import Chunk, Reply, ReplyStream

STALL_TIMEOUT = 300.0  # seconds a client may leave one chunk unread (RoadRunner: 5 minutes for the whole response)


class Forwarder:
    """Forwards one stream.

    Args:
        send: the ASGI callable for the messages.
        asked: codec of the request.
        head_only: whether the request was HEAD.
        trailers: whether the client accepts trailers.
        interim: whether the server sends interim responses (``INFORMATIONAL`` is in the scope's extensions).
        stall_timeout: seconds a client may leave one chunk unread.
        request: fields that identify the request in the log.

    Attributes:
        started: whether the head was sent; then the status can't be changed.
    """

    def __init__(
        self,
        send: Send,
        asked: int,
        *,
        head_only: bool,
        trailers: bool,
        interim: bool,
        stall_timeout: float = STALL_TIMEOUT,
        request: Mapping[str, str] | None = None,
    ) -> None:
        self._send = send
        self._asked = asked
        self._head_only = head_only
        self._trailers = trailers
        self._informs = interim
        self._stall_timeout = stall_timeout
        self._request = request or {}
        self._interim: dict[str, list[str]] = {}
        self._head: Head | None = None
        self._left: int | None = None  # bytes remaining of the announced length
        self._over = False
        self.started = False

    def __repr__(self) -> str:
        return f"Forwarder(started={self.started}, left={self._left})"

    async def forward(self, first: Reply, stream: ReplyStream) -> bool:
        """Send the whole stream.

        Returns:
            whether the response is complete; if not, the connection must be closed so that the client notices.

        Raises:
            BadReply: the head can't be read (nothing was sent).
            WorkerError: the worker failed during the stream.
            TimeoutError: the client has stopped reading.
        """
        try:
            if await self._pass(first):
                async for chunk in stream:
                    if not await self._pass(chunk):
                        break
        finally:
            stream.drop()  # no effect after the end of the stream
        return await self._finish()

    async def _pass(self, chunk: Chunk) -> bool:
        """Send one chunk; return whether the client needs more."""
        if self._head is None:
            if chunk.context:
                status, headers = read_head(chunk.context, chunk.codec, self._asked)
                merge(self._interim, headers)
                if 100 <= status < 200 and status != 101:
                    await self._inform(status)
                    if not chunk.body:
                        return True
                await self._start(status)
            elif chunk.body:
                await self._start(200)
            else:
                return True
            if self._over:
                return False
        if chunk.body:
            await self._write(chunk.body)
        return not self._over

    async def _inform(self, status: int) -> None:
        """Send an interim response with all headers so far. The server itself sends 100, because it knows whether the
        client waits for it."""
        if self._informs and status != 100:
            async with asyncio.timeout(self._stall_timeout):
                await self._send(informational_message(status, self._interim))

    async def _start(self, status: int) -> None:
        head = self._head = Head(status, self._interim, trailers=self._trailers)
        if head.dropped:
            log.warning("dropped invalid headers of the worker's response", headers=head.dropped, **self._request)
        if head.replaced is not None:
            await self._begin(head, len(head.replaced))
            await self._send(body_message(head.replaced, True))
            self._over = True
        elif head.bodiless or self._head_only:
            head.trailers = []
            await self._begin(head, None if head.status == 204 else head.length)
            self._over = True
        else:
            # With trailers the body must be chunked, so it has no length.
            self._left = None if head.trailers else head.length
            await self._begin(head, self._left)

    async def _begin(self, head: Head, length: int | None) -> None:
        await self._send(start_message(head, length))
        self.started = True

    async def _write(self, body: bytes) -> None:
        if self._left is not None:
            if len(body) > self._left:
                self._complain("the body is longer than the worker's Content-Length")
                body = body[: self._left]
                self._over = True
            self._left -= len(body)
        # A client that stops reading would hold the worker without limit.
        async with asyncio.timeout(self._stall_timeout):
            await self._send(body_message(body, True))

    def _complain(self, error: str) -> None:
        log.error("write response (chunk) error", error=error, **self._request)

    async def _finish(self) -> bool:
        if self._head is None:
            if self._interim:
                await self._start(200)
            else:
                raise BadReply("the worker ended its response before it started")
        if self._left and not self._over:
            self._complain("the body is shorter than the worker's Content-Length")
            return False
        await self._send(body_message(EMPTY))
        if self._head is not None and self._head.trailers:
            await self._send(trailers_message(self._head))
        return True
