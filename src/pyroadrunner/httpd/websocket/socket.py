"""A WebSocket on a raw transport."""

from __future__ import annotations

import asyncio
import codecs
import logging
from collections import deque
from typing import cast

from websockets.extensions.base import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side, State

from pyroadrunner.httpd.websocket.contract import SocketHandler, SocketLimits
from pyroadrunner.httpd.websocket.message import OutMessage

_KERNEL_BUFFER = 1 << 16  # bytes that the transport takes before messages wait in the queue of the socket
_SILENT = logging.getLogger("pyroadrunner.websocket.protocol")  # the protocol's own lines tell a user nothing
_SILENT.setLevel(logging.CRITICAL)


class _Protocol(Protocol):
    """As its base, but a client may close in the middle of a fragmented message (Autobahn 7.1.5)."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class TransportSocket(asyncio.Protocol):
    """One socket; the protocol of its connection.

    While the client does not read, messages wait in a bounded queue, so that a publisher never waits for it.
    """

    __slots__ = (
        "_blocked",
        "_closing_until",
        "_decoder",
        "_ended",
        "_failed",
        "_fragments",
        "_handler",
        "_heard",
        "_limits",
        "_loop",
        "_opcode",
        "_ping_until",
        "_queue",
        "_queued",
        "_transport",
        "_why",
        "_window_bits",
        "_ws",
        "dropped",
    )

    def __init__(self, handler: SocketHandler, limits: SocketLimits, extensions: list[Extension]) -> None:
        self._handler = handler
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._ws = _Protocol(Side.SERVER, state=State.OPEN, max_size=limits.max_message, logger=_SILENT)
        self._ws.extensions = extensions
        self._window_bits = next(
            (one.local_max_window_bits for one in extensions if isinstance(one, PerMessageDeflate)), 0
        )
        self._queue: deque[tuple[bytes, bool]] = deque()  # frames, and whether each may be dropped
        self._queued = 0
        self._blocked = False
        self._fragments: list[bytes] | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._opcode = Opcode.TEXT
        self._heard = self._loop.time()
        self._ping_until = 0.0
        self._closing_until = 0.0
        self._why = ""  # the connection was cut
        self._ended = False
        self._failed = False  # a message was refused: what follows is ignored
        self.dropped = 0

    def __repr__(self) -> str:
        return f"TransportSocket({self._ws.state.name}, buffered={self._queued}, dropped={self.dropped})"

    # -- what asyncio calls ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_KERNEL_BUFFER)
        self._handler.opened(self)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self._ping_until = 0.0
        ws = self._ws
        ws.receive_data(data)
        self._flush()  # a pong goes before the response to the message around its ping
        for frame in ws.events_received():
            assert isinstance(frame, Frame)
            self._take(frame)
            if self._failed:
                break
        self._answer()

    def eof_received(self) -> bool:
        self._ws.receive_eof()
        self._answer()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._queue.clear()
        self._queued = 0
        if not self._ws.eof_sent and self._ws.state is not State.CLOSED:
            self._ws.receive_eof()
        self._end()

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        while self._queue and not self._blocked:
            frame, _ = self._queue.popleft()
            self._queued -= len(frame)
            self._write(frame)
        if not self._queue and self._ws.eof_sent:
            self._transport.close()

    # -- Socket ------------------------------------------------------------------------------------------------------

    @property
    def buffered(self) -> int:
        return self._queued

    def send(self, message: OutMessage) -> bool:
        if self._ws.state is not State.OPEN:
            return False
        frame = message.frame(self._window_bits)
        if self._blocked:
            self._enqueue(frame, droppable=True)
        else:
            self._write(frame)
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self._ws.state is State.OPEN:
            self._ws.send_close(code, reason)
            self._answer()

    def abort(self) -> None:
        self._transport.abort()

    def pause(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def tick(self, now: float) -> None:
        limits = self._limits
        if self._closing_until:
            if now >= self._closing_until:
                self._transport.abort()
        elif self._ping_until:
            if now >= self._ping_until:
                self._why = "the client did not answer a ping"
                self._transport.abort()
        elif limits.ping_interval and now - self._heard >= limits.ping_interval:
            self._ping_until = now + limits.ping_timeout
            self._ws.send_ping(b"")
            self._answer()

    # -- private -----------------------------------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        """One frame of the client; control frames were answered by the protocol."""
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if frame.fin:
                data = bytes(frame.data)
                if opcode is Opcode.BINARY:
                    self._handler.received(data, text=False)
                elif data.isascii() or self._is_text(data):
                    self._handler.received(data, text=True)
                return
            self._opcode = opcode
            self._fragments = []
            self._decoder = codecs.getincrementaldecoder("utf-8")() if opcode is Opcode.TEXT else None
        elif opcode is not Opcode.CONT:
            return
        assert self._fragments is not None  # the protocol accepts no continuation without a beginning
        data = bytes(frame.data)
        if self._decoder is not None:
            try:
                self._decoder.decode(data, frame.fin)
            except UnicodeDecodeError:
                self._refuse_text()
                return
        self._fragments.append(data)
        if frame.fin:
            data = b"".join(self._fragments)
            self._fragments = None
            self._handler.received(data, text=self._opcode is Opcode.TEXT)

    def _is_text(self, data: bytes) -> bool:
        try:
            data.decode()
        except UnicodeDecodeError:
            self._refuse_text()
            return False
        return True

    def _refuse_text(self) -> None:
        self._failed = True
        self._ws.fail(CloseCode.INVALID_DATA, "invalid UTF-8")

    def _answer(self) -> None:
        """Send what the protocol has to send; follow its state."""
        self._flush()
        ws = self._ws
        if ws.state is not State.OPEN:
            if ws.eof_sent and not self._queue:
                self._transport.close()
            if not self._closing_until:
                self._closing_until = self._loop.time() + self._limits.close_timeout
            if ws.close_rcvd is not None:
                self._end()

    def _flush(self) -> None:
        for data in self._ws.data_to_send():
            if not data:  # the end of the stream; see _answer
                continue
            if self._blocked:
                self._enqueue(data, droppable=False)
            else:
                self._write(data)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():  # at an error it closes before the connection is lost
            self._transport.write(data)

    def _enqueue(self, frame: bytes, *, droppable: bool) -> None:
        self._queue.append((frame, droppable))
        self._queued += len(frame)
        if self._queued <= self._limits.max_buffer or self._ws.state is not State.OPEN:
            return
        if self._limits.drop_oldest:
            self._drop()
        else:
            self._queue.clear()
            self._queued = 0
            self.dropped += 1
            self._ws.send_close(CloseCode.POLICY_VIOLATION, "the client reads too slowly")
            self._answer()
            self._end()  # it may never read the close

    def _drop(self) -> None:
        kept: list[tuple[bytes, bool]] = []
        while self._queue and self._queued > self._limits.max_buffer:
            entry = self._queue.popleft()
            if entry[1]:
                self._queued -= len(entry[0])
                self.dropped += 1
            else:
                kept.append(entry)
        self._queue.extendleft(reversed(kept))

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        closed = self._ws.close_rcvd or self._ws.close_sent
        if closed is None:
            self._handler.closed(CloseCode.ABNORMAL_CLOSURE, self._why)
        else:
            self._handler.closed(int(closed.code), closed.reason)
