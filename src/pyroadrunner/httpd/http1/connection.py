"""One client connection: finds requests in its bytes, and keeps its bounds."""

from __future__ import annotations

import asyncio
import socket
import struct
from traceback import format_exception
from typing import TYPE_CHECKING, cast

from pyroadrunner.httpd.http1.chunked import ChunkedDecoder
from pyroadrunner.httpd.http1.exchange import Exchange
from pyroadrunner.httpd.http1.file_sender import FileSender
from pyroadrunner.httpd.http1.header_block import HeaderBlock
from pyroadrunner.httpd.http1.refusals import Refusal, bad_request
from pyroadrunner.httpd.http1.request_head import UNKNOWN, RequestHead, parse
from pyroadrunner.httpd.http1.response_head import date_line, status_line

if TYPE_CHECKING:
    from pyroadrunner.httpd.http1.listener import Http1Listener

_HEAD_END = b"\r\n\r\n"
_LINE_ENDS = b"\r\n"
_LINGER = 1.0  # seconds without a byte from a client that still sends after its last response
_MAX_LINGER = 30.0  # seconds that it may go on; it has to stop sending before it reads
_LAST_HEAD = 1.0  # seconds for the rest of a head when the server stops
_MAX_DRAINED = 1 << 18  # bytes of a body that the application does not read; more closes the connection
_RESET = struct.pack("ii", 1, 0)  # for SO_LINGER
_INCOMPLETE = bad_request("incomplete", "the request is incomplete")


class Connection(asyncio.Protocol):
    """One connection. Reads one request at a time: what a client sends ahead waits in a bounded buffer.

    Attributes:
        deadline: time of the loop at which :meth:`expire` is due; 0.0 = none.
        requests: requests so far.
    """

    __slots__ = (
        "_body_missing",
        "_buffer",
        "_closing",
        "_decoder",
        "_eof",
        "_exchange",
        "_lingering",
        "_lingers_until",
        "_listener",
        "_loop",
        "_offset",
        "_parsing",
        "_partial",
        "_paused",
        "_peer",
        "_sender",
        "_sent",
        "_server",
        "_stalled_since",
        "_switched",
        "_transport",
        "_unsent",
        "_waiter",
        "_written",
        "deadline",
        "requests",
    )

    def __init__(self, listener: Http1Listener) -> None:
        self._listener = listener
        self._loop = listener.loop
        self._buffer = b""  # bytes behind the running request, from ``_offset`` on
        self._offset = 0
        self._partial = bytearray()  # the beginning of a head; a slow client sends it byte by byte
        self._exchange: Exchange | None = None
        self._decoder: ChunkedDecoder | None = None
        self._body_missing = 0  # bytes of a body with a length
        self._parsing = False
        self._paused = False  # whether reading is paused
        self._closing = False
        self._lingering = False
        self._lingers_until = 0.0
        self._eof = False
        self._waiter: asyncio.Future[None] | None = None  # set while the client reads too slowly
        self._written = 0
        self._sender: FileSender | None = None
        self._unsent = 0  # bytes left of the part of a file that is being sent
        self._sent = 0
        self._stalled_since = 0.0
        self._switched: asyncio.Protocol | None = None
        self.deadline = 0.0
        self.requests = 0

    def __repr__(self) -> str:
        return f"Connection({self._peer}, requests={self.requests}, {self._exchange!r})"

    # -- what asyncio calls ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._peer = _address(transport.get_extra_info("peername"))
        self._server = _address(transport.get_extra_info("sockname"))
        limits = self._listener.limits
        self._transport.set_write_buffer_limits(high=limits.max_buffer)
        self.deadline = self._loop.time() + limits.head_timeout
        self._listener.opened(self)

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            if self._switched is not None:
                self._switched.data_received(data)
                return
            if self._lingering or self._closing:
                if not self._listener.refusing:
                    self.deadline = min(self._loop.time() + _LINGER, self._lingers_until)
                return
            if self._partial:
                self._read_head(data)
            else:
                self._serve(data, 0)
        elif not exchange.body_done:
            self._read_body(exchange, data)
        else:
            self._keep(data, 0)

    def eof_received(self) -> bool:
        """A client that closes its sending side may still wait for its response."""
        self._eof = True
        if self._switched is not None:
            return bool(self._switched.eof_received())
        exchange = self._exchange
        if exchange is None or exchange.finished:
            if self._partial:
                self._write_refusal(_INCOMPLETE)
            return bool(self._buffer)
        if exchange.body_done:
            exchange.disconnected(gone=False)
            return True
        # Most such clients have left. No warning: uploads are cancelled often, and the log of requests has them.
        exchange.disconnected(gone=True)
        if not exchange.started:
            self._exchange = None
            self._write_refusal(_INCOMPLETE)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._closing = True
        self._release_writer()
        if self._sender is not None:
            self._sender.abort()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.disconnected(gone=True)
        self._listener.closed(self)
        if self._switched is not None:
            self._switched.connection_lost(error)

    def pause_writing(self) -> None:
        if self._switched is not None:
            self._switched.pause_writing()
        elif self._waiter is None:
            self._waiter = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._switched is not None:
            self._switched.resume_writing()
            return
        self._release_writer()
        if self._exchange is None and self._buffer and not self._parsing:
            self._next()

    # -- requests ----------------------------------------------------------------------------------------------------

    @property
    def idleness(self) -> tuple[int, float] | None:
        """``None`` if it serves a request, still sends a response or is closing. Otherwise the smaller, the sooner it
        may be closed when room is needed: first those that are kept without a request, then new ones that have sent
        nothing, then those whose head is incomplete; in each group those that wait longest."""
        if self._exchange is not None or self._buffer or self._closing or self._lingering or self._switched is not None:
            return None
        if self._transport.get_write_buffer_size():
            return None
        return 2 if self._partial else 0 if self.requests else 1, self.deadline

    def _read_head(self, data: bytes) -> None:
        """More of a head whose beginning has arrived."""
        partial = self._partial
        start = max(0, len(partial) - 3)
        partial += data
        if partial.find(_HEAD_END, start) >= 0:
            data = bytes(partial)
            partial.clear()
            self._serve(data, 0)
        else:
            self._check_partial(start)

    def _serve(self, data: bytes, at: int) -> None:
        """Serve the requests in ``data`` from ``at`` on, one after the other; what is left waits in the buffer."""
        self._parsing = True
        try:
            # While responses wait for a client that reads too slowly, its next requests wait too.
            while at < len(data) and self._exchange is None and not self._closing and self._waiter is None:
                if data[at] in _LINE_ENDS:  # a blank line before a request line, RFC 9112 section 2.2
                    at += 1
                    continue
                end = data.find(_HEAD_END, at)
                if end < 0:
                    self._partial += data[at:]
                    self.deadline = self._loop.time() + self._listener.limits.head_timeout
                    self._check_partial(0)
                    return
                at = self._begin(data, at, end + 4)
        finally:
            self._parsing = False
        if at < len(data):
            self._keep(data, at)

    def _check_partial(self, start: int) -> None:
        """Refuse at once what can't become a head; ``start`` is where the new bytes begin."""
        head = self._partial
        if len(head) > self._listener.limits.max_head:
            self.refuse(Refusal(431, "size", "the head is too large"))
            return
        at = head.find(b"\n", start)
        while at >= 0:
            if at == 0 or head[at - 1] != 0x0D:
                self.refuse(bad_request("line", "a line of the head ends with LF alone"))
                return
            at = head.find(b"\n", at + 1)
        if not 0x20 < head[0] < 0x7F:
            self.refuse(bad_request("line", "the request line is malformed"))

    def _begin(self, data: bytes, at: int, end: int) -> int:
        """Start the request whose head is ``data[at:end]``; return where it ends in ``data``."""
        listener = self._listener
        try:
            if end - at > listener.limits.max_head:
                raise Refusal(431, "size", "the head is too large")
            request = parse(data if end - at == len(data) else data[at:end])
            body, end = self._first_body(request, data, end)
        except Refusal as refusal:
            self.refuse(refusal)
            return len(data)
        self.requests += 1
        exchange = self._exchange = Exchange(self, request, self._peer, self._server)
        if not self._decoder and not self._body_missing:
            exchange.body_done = True
            self.deadline = 0.0
            serve_whole = listener.serve_whole
            if serve_whole is not None and not request.fields.trailers and serve_whole(exchange, body):
                return end
        else:
            self.deadline = self._loop.time() + listener.limits.body_timeout
        exchange.add(body, done=exchange.body_done)
        exchange.run(listener.app)
        return end

    def _first_body(self, request: RequestHead, data: bytes, at: int) -> tuple[bytes, int]:
        """The part of the body that has arrived with the head, and where it ends in ``data``."""
        length = request.fields.length
        if length == 0:
            return b"", at
        if length == UNKNOWN:
            decoder = ChunkedDecoder()
            body, rest = decoder.feed(data[at:])
            self._decoder = None if decoder.done else decoder
            return body, len(data) - len(rest)
        end = min(at + length, len(data))
        self._body_missing = length - (end - at)
        return data[at:end], end

    def _read_body(self, exchange: Exchange, data: bytes) -> None:
        if self._decoder is not None:
            try:
                piece, rest = self._decoder.feed(data)
            except Refusal as refusal:
                self._refuse_body(exchange, refusal)
                return
            done = self._decoder.done
        else:
            piece, rest = data[: self._body_missing], data[self._body_missing :]
            self._body_missing -= len(piece)
            done = not self._body_missing
        if rest:
            self._keep(rest, 0)
        exchange.add(piece, done=done)
        limits = self._listener.limits
        if done:
            self.deadline = 0.0
            self._decoder = None
            if exchange.finished:
                self._next()
        elif exchange.finished:
            pass  # the rest is dropped; its time is limited
        elif exchange.queued > limits.max_buffer:
            self.deadline = 0.0  # the application is slow, not the client
            self._pause()
        else:
            self.deadline = self._loop.time() + limits.body_timeout

    def _keep(self, data: bytes, at: int) -> None:
        """Keep bytes behind the running request."""
        if self._buffer:
            self._buffer, self._offset = self._buffer[self._offset :] + data[at:], 0
        else:
            self._buffer, self._offset = data, at
        if len(self._buffer) - self._offset > self._listener.limits.max_buffer:
            self._pause()

    # -- Stream ------------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():  # at an error it closes before the connection is lost
            self._written += len(data)
            self._transport.write(data)

    def write_pair(self, head: bytes, body: bytes) -> None:
        if not self._transport.is_closing():
            self._written += len(head) + len(body)
            self._transport.writelines((head, body))

    def writable(self) -> asyncio.Future[None] | None:
        return self._waiter

    async def send_file(self, file: int, offset: int, count: int) -> None:
        transport = self._transport
        self._written += count
        self._unsent = count
        transport.set_write_buffer_limits(high=0)  # what is in the buffer must leave first
        try:
            while self._waiter is not None:
                await asyncio.shield(self._waiter)
            if self._closing:
                raise ConnectionResetError("the client has disconnected")
            sender = self._sender = FileSender(transport.get_extra_info("socket").fileno(), file)
            try:
                while self._unsent:
                    sent = await sender.send(offset, self._unsent)
                    if not sent:
                        raise OSError("a file became shorter while it was sent")
                    offset += sent
                    self._unsent -= sent
            finally:
                self._sender = None
                sender.close()
        finally:
            self._unsent = 0
            if not self._closing:
                transport.set_write_buffer_limits(high=self._listener.limits.max_buffer)

    def body_taken(self) -> None:
        if self._paused and self._exchange is not None and not self._exchange.body_done:
            self.deadline = self._loop.time() + self._listener.limits.body_timeout
            self._resume()

    def can_keep(self, *, complete: bool) -> bool:
        exchange = self._exchange
        if self._listener.retired or exchange is None:
            return False
        return not complete or exchange.body_done or self._drains

    @property
    def _drains(self) -> bool:
        """Whether the rest of the body is small enough to be read although no application wants it."""
        return self._decoder is None and self._body_missing <= _MAX_DRAINED

    def response_ended(self, *, keep: bool) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if not exchange.body_done:
            # The application did not need the whole body. A small rest is read, so that the connection can be kept.
            if not keep or not self._drains:
                self._exchange = None
                self._linger()
            else:
                self.deadline = self._loop.time() + self._listener.limits.body_timeout
                self._resume()
            return
        self._exchange = None
        if not keep or self._listener.refusing:
            self._close()
        elif self._parsing:
            self.deadline = self._loop.time() + self._listener.limits.idle_timeout
        else:
            self._next()

    def switch(self, head: bytes, protocol: asyncio.Protocol) -> None:
        """Hand the connection over to another protocol. It stays among those of the listener: it counts there, and is
        aborted at the end of the stop."""
        self._exchange = None
        self.deadline = 0.0
        self._release_writer()
        self.write(head)
        self._switched = protocol
        protocol.connection_made(self._transport)
        data, self._buffer = self._buffer[self._offset :], b""
        self._resume()
        if data:
            protocol.data_received(data)

    def abort(self) -> None:
        """Close now and drop what the client has not read. A client that could take the end of the connection for the
        end of its response gets a reset."""
        self._closing = True
        exchange = self._exchange
        if self._transport.get_write_buffer_size() or (exchange is not None and exchange.ends_with_connection):
            connection = self._transport.get_extra_info("socket")
            if connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def given_up(self, exchange: Exchange) -> None:
        if exchange is not self._exchange:
            return
        if exchange.started and not exchange.ends_with_connection:
            self._exchange = None
            self._close()  # after what the client has not read yet
        else:
            self.abort()

    def failed(self, exchange: Exchange, error: Exception) -> None:
        self._listener.log.error(
            "request failed",
            method=exchange.head.method,
            path=exchange.head.path.decode(errors="replace"),
            error="".join(format_exception(error)).rstrip(),
        )
        if exchange is self._exchange and not exchange.started:
            exchange.respond(500, HeaderBlock([(b"connection", b"close")]), b"", 0)

    # -- its end -----------------------------------------------------------------------------------------------------

    def expire(self) -> None:
        """The deadline has passed."""
        exchange = self._exchange
        if exchange is not None:
            if exchange.finished:
                self._linger()
            else:
                self._refuse_body(exchange, Refusal(408, "timeout", "the request body did not arrive in time"))
        elif self._partial and not self._lingering:
            self.refuse(Refusal(408, "timeout", "the head of the request did not arrive in time"))
        elif self._transport.get_write_buffer_size():
            # The client still reads its last response, for which it has the write timeout.
            wait = _LINGER if self._lingering else self._listener.limits.idle_timeout
            self.deadline = self._loop.time() + wait
        else:
            self.abort()

    def check_progress(self, now: float, limit: float) -> None:
        """Close the connection if the client has not read anything for ``limit`` seconds although data waits."""
        if self._switched is not None:
            return
        waiting = self._transport.get_write_buffer_size() + self._unsent
        sent = self._written - waiting
        if not waiting or sent != self._sent or not self._stalled_since:
            self._sent = sent
            self._stalled_since = now
        elif now - self._stalled_since >= limit:
            self._listener.refusals.add(
                Refusal(0, "write", "the client does not read its response; the connection was closed"), self.client
            )
            self.abort()

    def refuse(self, refusal: Refusal) -> None:
        """Send an error response, then close."""
        self._listener.refusals.add(refusal, self.client)
        self._write_refusal(refusal)
        self._linger()

    def _write_refusal(self, refusal: Refusal) -> None:
        body = f"{refusal.status} {refusal.reason}\n".encode()
        self.write(
            b"%bContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n%bConnection: close\r\n\r\n%b"
            % (status_line(refusal.status), len(body), date_line(), body)
        )

    def _refuse_body(self, exchange: Exchange, refusal: Refusal) -> None:
        started = exchange.started
        self._exchange = None
        exchange.disconnected(gone=True)
        if started:
            self.abort()
        else:
            self.refuse(refusal)

    def wind_down(self) -> None:
        """The server stops: close if no request is running. A head that is arriving has a second to end."""
        exchange = self._exchange
        if exchange is not None:
            if exchange.finished:  # the rest of a body is read that no application wants
                self._linger()
        elif self._lingering or self._switched is not None:
            pass
        elif self._partial:
            self.deadline = self._loop.time() + _LAST_HEAD
        else:
            self._close()

    def stop(self) -> None:
        """The grace period of the server is over."""
        if self._exchange is not None:
            self._exchange.stop()

    @property
    def busy(self) -> bool:
        """Whether a request is running."""
        return self._exchange is not None

    @property
    def client(self) -> str:
        """Address of the client, for log lines."""
        return f"{self._peer[0]}:{self._peer[1]}" if self._peer is not None else "unix"

    def _next(self) -> None:
        """The response and the body are complete: go on with the next request."""
        self._exchange = None
        self.deadline = self._loop.time() + self._listener.limits.idle_timeout
        if self._paused:
            self._resume()
        if self._buffer:
            data, self._buffer = self._buffer, b""
            self._serve(data, self._offset)
        if self._eof and self._exchange is None and not self._buffer:
            self._close()

    def _linger(self) -> None:
        """Close the sending side, and read on while the client sends, up to 30 s: closing a socket with unread bytes
        sends a reset, which may reach the client before the response does."""
        if self._lingering or self._transport.is_closing():
            return
        self._exchange = None
        self._buffer = b""
        self._partial.clear()
        if self._eof:
            self._close()
            return
        self._lingering = True
        now = self._loop.time()
        self.deadline = now + _LINGER
        self._lingers_until = now + _MAX_LINGER
        self._resume()
        self._transport.write_eof()

    def _close(self) -> None:
        self._closing = True
        self._transport.close()

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _release_writer(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def _address(name: object) -> tuple[str, int] | None:
    return (name[0], name[1]) if isinstance(name, tuple) else None
