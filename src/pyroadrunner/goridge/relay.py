"""A relay: frames to and from one peer, over two pipes or one socket. Runs on the event loop.

The same class serves both: ``pipes.py`` and ``sockets.py`` only differ in where the transports come from. It is driven
by callbacks, not by ``await receive()``: a task switch per frame would cost more than the frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from pyroadrunner.goridge.errors import FrameError, RelayClosed, RemoteFrameError
from pyroadrunner.goridge.frame import Frame
from pyroadrunner.goridge.reader import FrameReader

MAX_GARBAGE = 8192  # bytes of undecodable text kept for the log


class Relay(asyncio.Protocol):
    """Frames to and from one peer.

    Attributes:
        on_frame: called with each frame.
        on_lost: called once with why no frame will come any more: :class:`RelayClosed`, or :class:`RemoteFrameError`
            when the peer wrote something else; then the rest it writes is collected in :attr:`garbage` until it closes.
        garbage: what arrived instead of a frame (bounded by ``MAX_GARBAGE``).
    """

    def __init__(self, max_payload: int) -> None:
        self.on_frame: Callable[[Frame], None] = _drop_frame
        self.on_lost: Callable[[FrameError | RelayClosed], None] = _drop_error
        self.garbage = b""
        self._frames = FrameReader(max_payload)
        self._source: asyncio.ReadTransport | None = None
        self._sink: asyncio.WriteTransport | None = None
        self._lost = False
        self._broken = False

    def __repr__(self) -> str:
        state = "lost" if self._lost else "broken" if self._broken else "open"
        return f"Relay({state}, {self._frames!r})"

    @property
    def lost(self) -> bool:
        """Whether the peer's side has closed (or ours)."""
        return self._lost

    def attach_sink(self, sink: asyncio.WriteTransport) -> None:
        """Give the writing side, where it is not the transport that reads (pipes)."""
        self._sink = sink

    def send(self, frame: bytes) -> None:
        """Write one encoded frame, whole. A peer that has gone is noticed by its reading side, not here."""
        if self._sink is not None:
            self._sink.write(frame)

    def unsent(self) -> int:
        """Bytes that were given to :meth:`send` and have not reached the peer's side of the relay yet."""
        return 0 if self._sink is None else self._sink.get_write_buffer_size()

    def unread(self) -> int:
        """Bytes of ours that the peer never read; 0 where that cannot be known (sockets)."""
        return 0

    def pause(self) -> None:
        """Stop reading: the peer blocks once the relay's buffer is full. Idempotent."""
        if self._source is not None and not self._lost:
            self._source.pause_reading()

    def resume(self) -> None:
        """Read on. Idempotent."""
        if self._source is not None and not self._lost:
            self._source.resume_reading()

    def close(self) -> None:
        """Close both directions; ``on_lost`` is not called. Idempotent."""
        self._lost = True
        self.on_frame, self.on_lost = _drop_frame, _drop_error
        if self._sink is not None:
            self._sink.abort()
        if self._source is not None and self._source is not self._sink:
            self._source.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._source = cast("asyncio.ReadTransport", transport)

    def data_received(self, data: bytes) -> None:
        if self._broken:
            self.garbage = (self.garbage + data)[:MAX_GARBAGE]
            return
        try:
            frames = self._frames.feed(data)
        except RemoteFrameError as error:
            self._broken = True
            self.garbage = error.garbage[:MAX_GARBAGE]
            self.on_lost(error)
            return
        for frame in frames:
            self.on_frame(frame)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._lost:
            return
        self._lost = True
        if self._sink is not None:
            self._sink.abort()
        if not self._broken:
            self.on_lost(RelayClosed(mid_frame=self._frames.buffered > 0))


def _drop_frame(_frame: Frame) -> None:
    """A frame nobody waits for."""


def _drop_error(_error: Any) -> None:
    """A relay nobody looks at any more."""
