"""The stream of one subscriber."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pyroadrunner.asgi import Send
from pyroadrunner.httpd.event_streams import Connection
from pyroadrunner.plugins.mercure.grants import Grant
from pyroadrunner.plugins.mercure.hub import Hub
from pyroadrunner.plugins.mercure.selectors import Selector
from pyroadrunner.plugins.mercure.update import Update

COMMENT = b":\n"
_BATCH = 200  # updates of one read of the history
_JOINED = 1 << 16  # bytes that are sent together


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """Bounds of a stream.

    Attributes:
        queue: updates that may wait.
        queue_bytes: of them.
        heartbeat: seconds of silence before a comment; 0 = never.
        dispatch_timeout: seconds that one write may take; 0 = no limit.
    """

    queue: int
    queue_bytes: int
    heartbeat: float
    dispatch_timeout: float


class Stream:
    """Implements :class:`~pyroadrunner.plugins.mercure.hub.Subscriber`.

    It begins with the history behind ``after``. It reads that until it has all that the hub was given, and only then
    takes updates from the hub: so none is missing and none comes twice, however long it takes.

    Args:
        after: the position to begin behind; ``None`` = only new updates.
        deadline: time of ``clock`` at which the stream ends; 0 = never.
        remote_addr: of the client.
        connection: address and port of its peer; empty = unknown.
        clock: seconds, monotonic.

    Attributes:
        ended: why it was ended by this side; empty = it was not.
    """

    def __init__(
        self,
        identity: str,
        selectors: Sequence[Selector],
        grant: Grant,
        hub: Hub,
        limits: StreamLimits,
        *,
        after: int | None,
        deadline: float,
        clock: Callable[[], float],
        remote_addr: str = "",
        connection: Connection = (),
    ) -> None:
        self.id = identity
        self.remote_addr = remote_addr
        self.connection = connection
        self._opened_at = clock()
        self.selectors = selectors
        self.grant = grant
        self._hub = hub
        self._limits = limits
        self._live = after is None
        self._position = hub.store.position if after is None else after
        self._deadline = deadline
        self._clock = clock
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._sending_since = 0.0
        self._silent_since = clock()
        self._farewell = b""
        self._resets = 0
        self.ended = ""
        self.cut = False

    def __repr__(self) -> str:
        return f"Stream({self.id}, position={self._position}, queued={len(self._queue)}, ended={self.ended!r})"

    def view(self) -> dict[str, Any]:
        """For operators."""
        return {
            "id": self.id,
            "remote_addr": self.remote_addr,
            "topics": [selector.text for selector in self.selectors],
            "private": bool(self.grant.subscribe),
            "seconds": round(self._clock() - self._opened_at, 1),
            "waiting": len(self._queue),
        }

    # -- for the hub -------------------------------------------------------------------------------------------------

    def offer(self, update: Update) -> None:
        if not self._live or update.sequence <= self._position or self.ended:
            return
        self._position = update.sequence
        frame = update.frame
        self._queue.append(frame)
        self._queued += len(frame)
        if len(self._queue) > self._limits.queue or self._queued > self._limits.queue_bytes:
            self._cut("slow")
        self._wake.set()

    def reset(self) -> None:
        self._position = 0
        self._resets += 1

    def blocked(self, now: float) -> float:
        """Seconds for which the client has not read, if it takes longer than it may; otherwise 0."""
        limit, since = self._limits.dispatch_timeout, self._sending_since
        return now - since if limit and since and now - since >= limit else 0.0

    def tick(self, now: float) -> None:
        """Look after the stream; call it about once a second."""
        limits = self._limits
        if self._sending_since:
            if self.blocked(now):
                self._cut("slow")
        elif self._deadline and now >= self._deadline:
            self.end("expired")
        elif limits.heartbeat and now - self._silent_since >= limits.heartbeat and not self._queue:
            self._queue.append(COMMENT)
            self._queued += len(COMMENT)
            self._silent_since = now
            self._wake.set()

    def end(self, why: str, farewell: bytes = b"") -> None:
        """End the stream in good order: what waits is sent before, then ``farewell``. Idempotent."""
        if not self.ended:
            self.ended = why
            self._farewell = farewell
            self._wake.set()

    def abandon(self) -> None:
        """The client has left."""
        self._cut("left")

    # -- for the endpoint --------------------------------------------------------------------------------------------

    async def run(self, send: Send) -> None:
        """Send updates until the stream ends. The response has started."""
        self._task = asyncio.current_task()
        try:
            if self.cut:
                return
            await self._send(send, COMMENT)
            if not self._live:
                await self._replay(send)
            while not self.cut:
                while self._queue and not self.cut:
                    await self._send(send, self._next())
                if self.ended:
                    break
                self._wake.clear()
                await self._wake.wait()
            if not self.cut:
                await self._send(send, self._farewell, more=False)
        except asyncio.CancelledError:
            if not self.cut or (self._task is not None and self._task.uncancel() > 0):
                raise
        finally:
            self._task = None

    # -- private -----------------------------------------------------------------------------------------------------

    async def _replay(self, send: Send) -> None:
        hub = self._hub
        while not self.ended:
            known, resets = hub.store.position, self._resets
            found = await hub.store.read(self._position, _BATCH)
            if resets != self._resets:
                continue
            pieces = []
            for update in found:
                self._position = update.sequence
                if hub.wants(self, update):
                    pieces.append(update.frame)
                    hub.delivered += 1
            if pieces:
                await self._send(send, b"".join(pieces))
            if len(found) < _BATCH and resets == self._resets:
                self._position = max(self._position, known)
            if resets == self._resets and self._position >= hub.store.position:
                self._live = True
                return

    def _next(self) -> bytes:
        """The next waiting events, joined up to a size."""
        first = self._queue.popleft()
        size = len(first)
        if not self._queue:
            self._queued = 0
            return first
        pieces = [first]
        while self._queue and size + len(self._queue[0]) <= _JOINED:
            piece = self._queue.popleft()
            pieces.append(piece)
            size += len(piece)
        self._queued -= size
        return b"".join(pieces)

    async def _send(self, send: Send, data: bytes, *, more: bool = True) -> None:
        self._sending_since = self._clock()
        try:
            await send({"type": "http.response.body", "body": data, "more_body": more})
        finally:
            self._sending_since = 0.0
        self._silent_since = self._clock()

    def _cut(self, why: str) -> None:
        """End the stream without waiting for the client. Idempotent."""
        if self.cut:
            return
        self.ended = self.ended or why
        self.cut = True
        self._queue.clear()
        self._queued = 0
        self._wake.set()
        if self._sending_since and self._task is not None:
            self._task.cancel()
