"""One client connection: its bytes become events for workers, their replies become bytes for it.

Theory of operation. At most one event of a connection is at a worker, or waits for one; so its events stay in order,
and a worker is never held for longer than its reply takes. Everything else waits here: bytes that arrive meanwhile are
read ahead up to a limit, then reading is paused. A reply goes to the transport at once; while the client does not read
it (``_full``), the connection asks for no further event.

``_next`` is called whenever something may go on, and is the one place that decides what comes next:

    CONNECTED --reply--> a message has arrived: DATA --reply--> ... --> the end: CLOSE --reply--> done

The end is any of: the client has closed and all its messages are done, the connection is lost, a worker or an operator
closes it, an event failed, the server stops. A connection that no worker has heard of has no CLOSE; any other has
exactly one. A client that only closes its sending side still gets the replies to what it has sent.
"""

from __future__ import annotations

import asyncio
from math import inf
from os import urandom
from typing import TYPE_CHECKING, cast

from pyroadrunner.contracts import Payload, QueueFull, Reply, ReplyRule, RoadRunnerError, Submission
from pyroadrunner.plugins.tcp.event_log import OVERLOAD, EventFailed, log
from pyroadrunner.plugins.tcp.events import Event, context_prefix, new_uuid, remote_address
from pyroadrunner.plugins.tcp.message_buffer import MessageBuffer
from pyroadrunner.plugins.tcp.verbs import CLOSE, VERBS

if TYPE_CHECKING:
    from pyroadrunner.plugins.tcp.listener import Listener

_LINGER = (
    1.0  # seconds that a client has to close, too, after the server has: closing at once may cost it the last reply
)
_STOP_STALL = 2.0  # seconds without progress that a client has to read its last reply when the server stops
_NO_CODEC = 0
_CONNECTED, _DATA, _CLOSE = Event.CONNECTED, Event.DATA, Event.CLOSE
_FIRST, _OPTIONAL = ReplyRule.FIRST, ReplyRule.OPTIONAL


class Connection(asyncio.Protocol):
    """One connection; a receiver of the replies to its events.

    Attributes:
        uuid: its name for workers and operators.
        remote_addr: of the client; ``host:port``, or ``@`` on a unix socket.
        opened: time of the loop.
        received, sent: bytes.
        events: that workers have got.
    """

    __slots__ = (
        "_active_at",
        "_buffer",
        "_close_sent",
        "_closing",
        "_context",
        "_done",
        "_eof",
        "_event",
        "_full",
        "_known",
        "_lingers_since",
        "_listener",
        "_lost",
        "_paused",
        "_postponed",
        "_seen",
        "_submission",
        "_transport",
        "_unsent_since",
        "_unsent_total",
        "events",
        "opened",
        "received",
        "remote_addr",
        "sent",
        "uuid",
    )
    _transport: asyncio.Transport

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.uuid = new_uuid(urandom(16))
        self.remote_addr = ""
        self._context = b""
        self._buffer = MessageBuffer(listener.delimiter)
        self._event: Event | None = None  # at a worker, or on its way to one
        self._submission: Submission | None = None
        self._known = False  # whether a worker has heard of it
        self._close_sent = False
        self._postponed = False  # whether CLOSE waits for room in the queue of the pool
        self._closing = False  # this side has closed
        self._lost = False  # the transport is gone
        self._done = False
        self._eof = False  # the client has closed its sending side
        self._full = False  # the client does not read
        self._paused = False  # whether reading is paused
        self.opened = self._active_at = listener.loop.time()
        self._seen = 0  # bytes in both directions at the last check
        self._unsent_since = 0.0
        self._unsent_total = 0
        self._lingers_since = 0.0
        self.received = 0
        self.sent = 0
        self.events = 0

    def __repr__(self) -> str:
        event = f", {self._event.value} at a worker" if self._event else ""
        return f"Connection({self.uuid}, {self.remote_addr}, {self.state}{event}, {self._buffer!r})"

    @property
    def state(self) -> str:
        """``open``, ``half-closed`` by the client, or ``closing``."""
        return "closing" if self._closing or self._lost else "half-closed" if self._eof else "open"

    @property
    def server(self) -> str:
        """Name of its server."""
        return self._listener.name

    # -- what asyncio calls --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.remote_addr = remote_address(transport.get_extra_info("peername"))
        if not self._listener.opened(self):
            self._closing = self._done = True
            self._transport.abort()
            return
        self._context = context_prefix(self.remote_addr, self._listener.name, self.uuid)
        log.debug("connection was opened", server=self.server, remote_addr=self.remote_addr, uuid=self.uuid)
        self._submit(_CONNECTED, b"")

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self._closing:
            return
        buffer = self._buffer
        if self._event is None and not self._full:
            if not buffer and data.endswith(self._listener.delimiter):
                self._submit(_DATA, data)
                return
            buffer.add(data)
            self._next()
            if self._event is None and len(buffer) > self._listener.max_message:
                self._refuse_message()
            return
        buffer.add(data)
        if not self._paused and len(buffer) >= self._listener.read_ahead:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """A client that closes its sending side may still read; over TLS it closes both."""
        if self._closing:
            return False
        self._eof = True
        self._next()
        return self._transport.can_write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._full = False
        self._listener.lost(self)
        log.debug("connection was closed", server=self.server, remote_addr=self.remote_addr, uuid=self.uuid)
        if self._event is _CONNECTED and self._submission is not None and self._submission.waiting:
            self._submission.cancel()  # no worker has heard of it
            self._event = None
            self._closing = True
        self._next()
        self._check_over()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._next()

    # -- events --------------------------------------------------------------------------------------------------------

    def _submit(self, event: Event, body: bytes | bytearray) -> None:
        listener = self._listener
        listener.events[event.place] += 1
        self._event = event
        payload = Payload(self._context + event.tail, body, _NO_CODEC)
        try:
            if event is _CLOSE:
                self._submission = listener.pool.submit(payload, self, timeout=listener.close_timeout, rule=_OPTIONAL)
            else:
                self._submission = listener.pool.submit(payload, self, rule=_FIRST)
        except RoadRunnerError as error:
            listener.events[event.place] -= 1
            self.on_error(error)
        else:
            self.events += 1

    def _next(self) -> None:
        """Go on, if nothing is at a worker."""
        if self._event is not None or self._done:
            return
        if self._closing:
            self._end()
            return
        if self._full:  # the client must read first
            return
        # What has arrived whole is not lost with the connection; after an orderly end the rest is whole, too.
        body = self._buffer.take_rest() if self._eof else self._buffer.take()
        if body:
            self._submit(_DATA, body)
        elif self._eof or self._lost:
            self._shut()
            self._end()
        elif self._listener.stopping:
            self.close()
        elif self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _end(self) -> None:
        """Say that the connection has ended: once, and only if a worker has heard of it."""
        if self._postponed:
            return
        if self._known and not self._close_sent:
            self._close_sent = True
            self._submit(_CLOSE, b"")
        else:
            self._done = True
            self._check_over()

    def _check_over(self) -> None:
        if self._done and self._lost:
            self._listener.over(self)

    # Receiver

    def on_reply(self, reply: Reply) -> None:
        event, self._event = self._event, None
        self._known = True
        if reply.stream is not None:
            reply.stream.drop()
            self._fail(event, "the worker streams its reply, which tcp does not support: send it as one frame")
        elif event is not _CLOSE:
            verb = VERBS.get(reply.context, CLOSE)
            if verb.writes and reply.body:
                self._write(reply.body)
            if verb.closes or self._listener.stopping:
                self._shut()
        self._next()
        if self._listener.postponed:  # after its own next event: an overload must not close connections that are served
            self._listener.send_postponed()

    def on_error(self, error: Exception) -> None:
        event, self._event = self._event, None
        overload = isinstance(error, OVERLOAD)
        if event is _CLOSE and isinstance(error, QueueFull):
            self._close_sent = False
            self._postponed = True
            self._listener.postponed.append(self)
            return
        if not overload:
            self._known = True
        if not (overload and self._listener.stopping):
            self._listener.failed(self, event, error)
        self._shut()
        self._next()

    def describe(self) -> str:
        event = self._event.value if self._event is not None else ""
        return f"tcp {event} {self.server} {self.remote_addr}"

    def send_close(self) -> None:
        """Try again to give the CLOSE event to the pool, whose queue was full."""
        self._postponed = False
        self._next()

    def _fail(self, event: Event | None, why: str) -> None:
        self._listener.failed(self, event, EventFailed(why))
        self._shut()

    # -- the two directions --------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> bool:
        """Send bytes that no event has asked for. Returns whether they were accepted: the connection is open, and its
        client reads."""
        if self._closing or self._lost or self._full:
            return False
        if data:
            self._write(data)
        return True

    def close(self) -> None:
        """Close the connection: what is written still goes out, and a worker gets the CLOSE event. Idempotent."""
        self._shut()
        self._next()

    def abort(self) -> None:
        """Close it without waiting for the client."""
        self._closing = True
        self._buffer.take_rest()
        if not self._lost:
            self._transport.abort()
        self._next()

    def wind_down(self) -> None:
        """The server stops: close it now, or after its running event."""
        if self._event is None:
            self.close()

    def give_up(self) -> None:
        """The grace of a stop is over: close it without an event."""
        self._closing = self._done = True
        if not self._lost:
            self._transport.abort()
        self._check_over()

    def _write(self, data: bytes) -> None:
        if not self._lost and not self._closing:
            self.sent += len(data)
            self._transport.write(data)

    def _shut(self) -> None:
        """Close this side, after what is written."""
        if self._closing:
            return
        self._closing = True
        self._buffer.take_rest()
        if self._lost:
            return
        if self._eof or self._listener.stopping or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        if self._paused:
            self._paused = False
            self._transport.resume_reading()  # to see the client's end

    def _refuse_message(self) -> None:
        """The client sends without an end: it is cut off, for it would go on while the server waits for it to close."""
        limit = self._listener.max_message >> 20
        why = f"more than {limit} MB have arrived without a delimiter (max_message_size)"
        self._listener.failed(self, _DATA, EventFailed(why))
        self.abort()

    # -- deadlines -----------------------------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Close it if it exceeds a limit. Called once a second."""
        if self._lost:
            return
        seen = self.received + self.sent
        if seen != self._seen:
            self._seen = seen
            self._active_at = now
        unsent = self._transport.get_write_buffer_size()
        listener = self._listener
        if unsent:
            read = self.sent - unsent
            if read != self._unsent_total or not self._unsent_since:
                self._unsent_total, self._unsent_since = read, now
            elif now - self._unsent_since >= (_STOP_STALL if listener.stopping else listener.write_timeout or inf):
                listener.refused(self, "write_timeout", "client does not read; its connection is reset")
                self.abort()
            return
        self._unsent_since = 0.0
        if self._closing:
            if not self._lingers_since:
                self._lingers_since = now
            elif now - self._lingers_since >= _LINGER:
                self._transport.abort()
        elif listener.idle_timeout and self._event is None and now - self._active_at >= listener.idle_timeout:
            listener.refused(self, "idle_timeout", "")
            self.close()
