"""A streamed reply after its first frame, from the worker to the caller, with flow control in bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

from pyroadrunner.goridge.frame import Flag, Frame
from pyroadrunner.workers.call import Call
from pyroadrunner.workers.payload import Chunk

MAX_UNREAD = 1 << 18  # bytes kept for a slow reader; then the relay is paused, and the worker blocks in its write
_OVERHEAD = 256  # bytes counted for each chunk, so that many small ones are also bounded
_CODEC_BITS = int(Flag.RAW | Flag.JSON | Flag.MSGPACK | Flag.GOB | Flag.PROTO)


class StreamSource(Protocol):
    """The worker behind a stream."""

    def pause_stream(self) -> None: ...

    def resume_stream(self) -> None: ...

    def abort_stream(self) -> None:
        """Send STOP and drop the remaining frames."""


class WorkerStream:
    """Implements :class:`pyroadrunner.workers.payload.ReplyStream`.

    Attributes:
        call: the call of this reply.
        aborted: whether the caller stopped reading before the end.
        paused: whether the relay is paused until the caller reads more.
    """

    def __init__(self, source: StreamSource, call: Call) -> None:
        self.call = call
        self._source = source
        self._chunks: deque[Chunk] = deque()
        self._unread = 0  # bytes
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False  # the last frame, or the error, has arrived
        self._error: Exception | None = None
        self.aborted = False
        self.paused = False

    def __repr__(self) -> str:
        state = "aborted" if self.aborted else "ended" if self._ended else "running"
        return f"WorkerStream({state}, unread={len(self._chunks)})"

    # for the caller

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._ended or self.aborted:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        chunk = self._chunks.popleft()
        self._unread -= _size(chunk)
        if self.paused and self._unread <= MAX_UNREAD // 2:
            self._resume()
        return chunk

    async def abort(self) -> None:
        self.drop()

    def drop(self) -> None:
        """Stop reading; the remaining frames are dropped. The worker is free when its stream has ended, or is killed
        after ``stream_timeout``. Idempotent."""
        if self._ended or self.aborted:
            return
        self.aborted = True
        self._chunks.clear()
        self._unread = 0
        self._resume()
        self._source.abort_stream()
        self._wake()

    # for the worker

    def push(self, chunk: Chunk) -> None:
        """Add a frame."""
        if self.aborted:
            return
        self._chunks.append(chunk)
        self._unread += _size(chunk)
        if self._unread >= MAX_UNREAD and not self.paused and not self._ended:
            self.paused = True
            self._source.pause_stream()
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """The stream has ended. A paused relay is resumed: the next stream of the worker uses it, too.

        Args:
            error: why it ended before its last frame.
        """
        self._ended = True
        self._error = error
        self._resume()
        self._wake()

    def _resume(self) -> None:
        if self.paused:
            self.paused = False
            self._source.resume_stream()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def _size(chunk: Chunk) -> int:
    return len(chunk.context) + len(chunk.body) + _OVERHEAD


def read_chunk(frame: Frame) -> Chunk | None:
    """Split a frame into context and body; without options it is all body. ``None`` if the context is too long."""
    size = frame.options[0] if frame.options else 0
    if size > len(frame.payload):
        return None
    return Chunk(frame.payload[:size], frame.payload[size:], frame.flags & _CODEC_BITS)
