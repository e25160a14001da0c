"""A relay: frames to and from one peer, over two pipes or one socket. Runs on the event loop.

The same class serves both: ``pipes.py`` and ``sockets.py`` differ only in how they create the transports. It calls
callbacks instead of offering ``await receive()``: a task switch per frame would cost more than the frame.

Data goes to the transport immediately, but large bodies slice by slice as the peer reads them. A transport buffers what
it could not write, and some copy it, so a whole body would be in memory twice. Later data waits in order.

No frame is lost when the owner changes (first the handshake, then the worker). While no callback is set, the relay
keeps incoming frames, stops reading after the first one, and delivers them to the next owner.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

from pyroadrunner.goridge.errors import FrameError, HandshakeError, RelayClosed, RelayError, RemoteFrameError
from pyroadrunner.goridge.frame import Frame
from pyroadrunner.goridge.handshake import hello_pid, hello_request
from pyroadrunner.goridge.reader import FrameReader

_SLICE = 1 << 18  # bytes per write to the transport
MAX_GARBAGE = 1 << 18  # bytes kept of a peer's output that is not a frame; enough for the dump of a large object

OnFrame = Callable[[Frame], None]
OnLost = Callable[[FrameError | RelayError], None]


class Relay(asyncio.Protocol):
    """Frames to and from one peer.

    Attributes:
        garbage: bytes that arrived instead of a frame (bounded by ``MAX_GARBAGE``).
        chunks: how often data has arrived: frames of the same chunk were sent before anything that is sent while they
            are delivered.
    """

    def __init__(self, max_payload: int) -> None:
        self.garbage = b""
        self.chunks = 0
        self._frames = FrameReader(max_payload)
        self._source: asyncio.ReadTransport | None = None
        self._sink: asyncio.WriteTransport | None = None
        self._full = False  # the sink's buffer is full
        self._waiting: deque[memoryview] = deque()  # data that waits for space in the sink's buffer
        self._lost = False
        self._broken = False
        self._paused = False
        self._early: list[Frame] = []
        self._early_loss: FrameError | RelayError | None = None
        self._on_frame: OnFrame = self._keep_frame
        self._on_lost: OnLost = self._keep_loss

    def __repr__(self) -> str:
        state = "lost" if self._lost else "broken" if self._broken else "paused" if self._paused else "open"
        return f"{type(self).__name__}({state}, {self._frames!r})"

    # -- callbacks -----------------------------------------------------------------------------------------------------

    @property
    def on_frame(self) -> OnFrame:
        """Called with each frame. Setting it delivers the frames kept so far in the loop's next iteration."""
        return self._on_frame

    @on_frame.setter
    def on_frame(self, callback: OnFrame) -> None:
        self._on_frame = callback
        self._schedule_early()

    @property
    def on_lost(self) -> OnLost:
        """Called once with the reason why no more frames will arrive: :class:`RelayClosed`, or
        :class:`RemoteFrameError` if the peer wrote something else. Its further output is then collected in
        :attr:`garbage` until it closes."""
        return self._on_lost

    @on_lost.setter
    def on_lost(self, callback: OnLost) -> None:
        self._on_lost = callback
        self._schedule_early()

    def hold(self) -> None:
        """Keep incoming frames until ``on_frame`` and ``on_lost`` are set again."""
        self._on_frame, self._on_lost = self._keep_frame, self._keep_loss

    def handshake(self, pid: int) -> asyncio.Future[int]:
        """Request the peer's pid; afterwards the relay keeps incoming frames.

        Args:
            pid: the server's pid.

        Returns:
            A future with the peer's pid, or a :class:`HandshakeError`, :class:`RelayClosed` or
            :class:`RemoteFrameError`. It has no timeout.
        """
        hello: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def answered(frame: Frame) -> None:
            self.hold()
            if not hello.done():
                try:
                    hello.set_result(hello_pid(frame))
                except HandshakeError as error:
                    hello.set_exception(error)

        def lost(error: FrameError | RelayError) -> None:
            self.hold()
            if not hello.done():
                hello.set_exception(error)
                hello.exception()  # no "never retrieved" warning: the caller may have stopped waiting (a stop at start)

        self.on_frame, self.on_lost = answered, lost
        self.send(hello_request(pid))
        return hello

    def _keep_frame(self, frame: Frame) -> None:
        self._early.append(frame)
        if not self._paused:
            self.pause()

    def _keep_loss(self, error: FrameError | RelayError) -> None:
        self._early_loss = error

    def _schedule_early(self) -> None:
        if self._early or self._early_loss is not None:
            asyncio.get_running_loop().call_soon(self._deliver_early)

    def _deliver_early(self) -> None:
        early, self._early = self._early, []
        loss, self._early_loss = self._early_loss, None
        if early:
            self.resume()
        for frame in early:
            self._on_frame(frame)
        if loss is not None:
            self._on_lost(loss)

    # -- the two directions --------------------------------------------------------------------------------------------

    @property
    def lost(self) -> bool:
        """Whether the peer or this side has closed the relay."""
        return self._lost

    def attach_sink(self, sink: asyncio.WriteTransport) -> None:
        """Set the transport for writing, if it is not the one that reads (pipes)."""
        self._sink = sink

    def send(self, data: bytes | bytearray) -> None:
        """Write an encoded frame, or a part of one. Never fails: a disconnect is detected while reading.

        Args:
            data: must not be changed until the peer has read it.
        """
        if self._sink is None:
            return
        if self._waiting or len(data) > _SLICE:
            self._waiting.append(memoryview(data))
            self._write_waiting()
        else:
            self._sink.write(data)

    def _write_waiting(self) -> None:
        """Write waiting data in slices until the sink's buffer is full."""
        sink, waiting = self._sink, self._waiting
        if sink is None or sink.is_closing():
            waiting.clear()
        while waiting and sink is not None and not self._full:
            rest = waiting.popleft()
            if len(rest) > _SLICE:
                waiting.appendleft(rest[_SLICE:])
                rest = rest[:_SLICE]
            sink.write(rest)

    def unsent(self) -> int:
        """Bytes passed to :meth:`send` that are still in a buffer of this process."""
        waiting = sum(map(len, self._waiting))
        return waiting if self._sink is None else waiting + self._sink.get_write_buffer_size()

    def unread(self) -> int:
        """Sent bytes that the peer has not read; 0 if this can't be determined (sockets)."""
        return 0

    def limit_payload(self, max_payload: int) -> None:
        """Accept frames of up to this many bytes, from the next chunk on."""
        self._frames.max_payload = max_payload

    def pause(self) -> None:
        """Stop reading: the peer blocks once the pipe or socket is full, and its close is not detected. Idempotent."""
        if not self._paused and self._source is not None and not self._source.is_closing():
            self._paused = True
            self._source.pause_reading()

    def resume(self) -> None:
        """Resume reading. Idempotent."""
        if self._paused:
            self._paused = False
            if self._source is not None and not self._source.is_closing():
                self._source.resume_reading()

    def close(self) -> None:
        """Close both directions; ``on_lost`` is not called. Idempotent."""
        self._lost = True
        self.on_frame, self.on_lost = _drop_frame, _drop_loss
        self._drop_sink()
        if self._source is not None:
            self._source.close()

    def _drop_sink(self) -> None:
        self._waiting.clear()
        sink, self._sink = self._sink, None  # only once: asyncio's pipe transport fails at the second abort
        if sink is not None:
            sink.abort()

    # -- asyncio.Protocol ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._source = cast("asyncio.ReadTransport", transport)

    def data_received(self, data: bytes) -> None:
        self.chunks += 1
        if self._broken:
            if 0 < len(self.garbage) < MAX_GARBAGE:  # empty if the data began like a frame: the rest is not text
                self.garbage = (self.garbage + data)[:MAX_GARBAGE]
            return
        try:
            frames = self._frames.feed(data)
        except RemoteFrameError as error:
            self._broken = True
            self.garbage = error.garbage[:MAX_GARBAGE]
            for frame in self._frames.completed:
                self._on_frame(frame)
            self._on_lost(error)
            return
        for frame in frames:
            self._on_frame(frame)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._write_waiting()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._lost:
            return
        self._lost = True
        self._drop_sink()
        if not self._broken:
            self._on_lost(RelayClosed(mid_frame=self._frames.buffered > 0))


def _drop_frame(_frame: Frame) -> None:
    """Ignore a frame of a closed relay."""


def _drop_loss(_error: FrameError | RelayError) -> None:
    """Ignore the loss of a closed relay."""
