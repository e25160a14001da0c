"""One connection from a web server: receives records, runs requests, sends records.

A connection serves one request at a time. A second one is refused as specified (``CANT_MPX_CONN``); no web server needs
it: nginx and Apache open a connection per request. The web server decides whether a connection is kept open.

The body is read as fast as the application consumes it, see ``body_queue.py``. If the application writes faster than
the web server reads, it waits in ``send``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyroadrunner.asgi import STOPPED, ASGIApp, Message
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.protocols.fastcgi.records import (
    KEEP_CONN,
    RESPONDER,
    FastCgiError,
    Record,
    RecordReader,
    Status,
    Type,
    begin_request,
    end_request,
    read_pairs,
    record,
    stream,
    unknown_type,
    write_pairs,
)
from pyroadrunner.plugins.http.protocols.fastcgi.request import scope_of
from pyroadrunner.plugins.http.protocols.fastcgi.response import head
from pyroadrunner.plugins.http.protocols.request_body import BodyQueue
from pyroadrunner.plugins.http.protocols.transport import Transport

_LONGEST_HEAD = 1 << 20  # bytes of all variables; the same limit as for an HTTP request head
_VALUES = {b"FCGI_MPXS_CONNS": b"0"}  # the other two values are limits, which we do not have

log = Log("http")


class FastCgiConnection(Transport):
    """Handles one connection.

    Args:
        closed: called with this connection once it is closed and its requests have ended.
    """

    def __init__(self, app: ASGIApp, closed: Callable[[FastCgiConnection], None]) -> None:
        super().__init__("web server")
        self._app = app
        self._closed = closed
        self._reader = RecordReader()
        self._current: FastCgiRequest | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._last = False  # whether to close the connection after the current request

    def __repr__(self) -> str:
        return f"FastCgiConnection({self._current!r}, running={len(self._running)})"

    # -- what asyncio calls ----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        try:
            for each in self._reader.feed(data):
                self._on_record(each)
        except FastCgiError as wrong:
            log.warning("fastcgi: protocol error; closing the connection", error=str(wrong))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._current is not None:
            self._current.abort()
            self._current = None
        self._check_closed()

    # -- what the listener calls -----------------------------------------------------------------------------------

    def close_after_response(self) -> None:
        """Let the current request end, then close."""
        self._last = True
        if self._current is None or self._current.finished:
            self._close()

    def abort_requests(self) -> None:
        """Cancel the running requests."""
        for task in self._running:
            task.cancel(STOPPED)
        self.abort()

    # -- what requests call ----------------------------------------------------------------------------------------

    def ended(self, request: FastCgiRequest) -> None:
        """A request has its response, or was aborted.

        If its body is still arriving, the connection stays open: closing now would reset it, and the web server could
        lose the response.
        """
        if self._current is request and (request.whole or self._last):
            self._current = None
        if self._current is None and (self._last or not request.keep):
            self._close()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _on_record(self, each: Record) -> None:
        if each.id == 0:
            self._manage(each)
        elif each.type == Type.BEGIN_REQUEST:
            self._begin(each)
        elif self._current is None or each.id != self._current.ident:
            return  # a late record of a request that has ended
        elif each.type == Type.PARAMS:
            self._current.put_params(each.content)
            if not each.content:
                self._start(self._current)
        elif each.type == Type.STDIN:
            self._current.put_body(each.content)
            if self._current.finished and self._current.whole:
                self.ended(self._current)
        elif each.type == Type.ABORT_REQUEST:
            current = self._current
            current.abort()
            self._send(end_request(current.ident, Status.REQUEST_COMPLETE, 1))
            self.ended(current)

    def _manage(self, each: Record) -> None:
        if each.type == Type.GET_VALUES:
            asked = read_pairs(each.content)
            known = {name: value for name, value in _VALUES.items() if name in asked}
            self._send(record(Type.GET_VALUES_RESULT, 0, write_pairs(known)))
        else:
            self._send(unknown_type(each.type))

    def _begin(self, each: Record) -> None:
        role, flags = begin_request(each.content)
        if self._current is not None:
            self._send(end_request(each.id, Status.CANT_MPX_CONN))
        elif role != RESPONDER:
            self._send(end_request(each.id, Status.UNKNOWN_ROLE))
        else:
            self._current = FastCgiRequest(self, each.id, keep=bool(flags & KEEP_CONN))

    def _start(self, request: FastCgiRequest) -> None:
        task = asyncio.get_running_loop().create_task(request.run(self._app))
        self._running.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (wrong := task.exception()) is not None:
            log.error("fastcgi: a request failed", error=repr(wrong))
            self.abort()
        self._check_closed()

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _check_closed(self) -> None:
        if self._lost and not self._running:
            self._closed(self)


class FastCgiRequest:
    """One request between its connection and the application.

    Args:
        keep: whether to keep the connection open after the request.

    Attributes:
        finished: whether the response is complete.
    """

    def __init__(self, connection: FastCgiConnection, ident: int, *, keep: bool) -> None:
        self._connection = connection
        self.ident = ident
        self.keep = keep
        self._params = bytearray()
        self._started = False
        self._body_queue = BodyQueue(connection.pause)
        self._head = b""
        self.finished = False

    def __repr__(self) -> str:
        return f"FastCgiRequest({self.ident}, started={self._started}, finished={self.finished})"

    def put_params(self, content: bytes) -> None:
        """Add a piece of the variables.

        Raises:
            FastCgiError: the variables have already ended, or are too long.
        """
        if self._started:
            raise FastCgiError("variables after the end of PARAMS")
        self._started = not content
        self._params += content
        if len(self._params) > _LONGEST_HEAD:
            raise FastCgiError(f"variables of more than {_LONGEST_HEAD} bytes")

    @property
    def whole(self) -> bool:
        """Whether the body is complete."""
        return self._body_queue.whole

    def put_body(self, content: bytes) -> None:
        """Add a piece of the body; an empty piece ends it."""
        self._body_queue.put(content, end=not content)

    def abort(self) -> None:
        """The web server no longer waits for the response and sends nothing more."""
        self._body_queue.abort()
        self._body_queue.whole = True

    async def run(self, app: ASGIApp) -> None:
        """Run the application. If it returns before the end of the response, close the connection."""
        scope = scope_of(read_pairs(bytes(self._params)))
        self._params.clear()
        await app(scope, self._body_queue.receive, self._send)
        if not self.finished and not self._body_queue.aborted:
            self._connection.abort()

    async def _send(self, message: Message) -> None:
        if self._body_queue.aborted:
            raise ConnectionResetError("the web server has aborted the request")
        if message["type"] == "http.response.start":
            self._head = head(message)  # sent with the first piece of the body
            return
        if message["type"] != "http.response.body" or self.finished:
            return
        data = stream(Type.STDOUT, self.ident, self._head + message.get("body", b""))
        self._head = b""
        if message.get("more_body"):
            await self._connection.write(data)
            return
        self.finished = True
        self._body_queue.close()
        end = record(Type.STDOUT, self.ident) + end_request(self.ident, Status.REQUEST_COMPLETE)
        try:
            await self._connection.write(data + end)
        finally:
            self._connection.ended(self)
