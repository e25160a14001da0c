"""One request and its response: the ASGI callables of an application, or a direct response without a task."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from pyroadrunner.asgi import BARE_QUERY, CLIENT, STOPPED, SWITCH, ASGIApp, Message, Scope
from pyroadrunner.httpd.http1 import file_sender
from pyroadrunner.httpd.http1.header_block import HeaderBlock
from pyroadrunner.httpd.http1.request_head import RequestHead
from pyroadrunner.httpd.http1.response_head import date_line, status_line

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSE = b"Connection: close\r\n"
_KEEP_ALIVE = b"Connection: keep-alive\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_COPY_BELOW = 1 << 16  # bytes: up to here one joined write is cheaper than two
_BODILESS = (204, 304)
_NO_LENGTH = -1
_ASGI = {"version": "3.0", "spec_version": "2.5"}
_ZERO_COPY = "http.response.zerocopysend"
_EXTENSIONS = ("http.response.informational", *([_ZERO_COPY] if file_sender.AVAILABLE else []))


Address = tuple[str, int] | None


class Stream(Protocol):
    """The connection of an exchange."""

    def write(self, data: bytes) -> None: ...

    def write_pair(self, head: bytes, body: bytes) -> None: ...

    def writable(self) -> asyncio.Future[None] | None:
        """Done when the client has read enough; ``None`` = write now."""

    async def send_file(self, file: int, offset: int, count: int) -> None:
        """Send bytes of a file behind all that was written before.

        Raises:
            OSError: the client has disconnected, or the file is shorter.
        """

    def body_taken(self) -> None:
        """The application has read the queued body."""

    def can_keep(self, *, complete: bool) -> bool:
        """Whether another request can follow on the connection.

        Args:
            complete: whether the response is complete, so that the application needs no more of the body.
        """

    def response_ended(self, *, keep: bool) -> None:
        """The response is complete."""

    def switch(self, head: bytes, protocol: asyncio.Protocol) -> None:
        """Send a head, and hand the connection over."""

    def given_up(self, exchange: Exchange) -> None:
        """The response of this exchange can't be completed."""

    def abort(self) -> None:
        """Close now, and drop what the client has not read."""

    def failed(self, exchange: Exchange, error: Exception) -> None:
        """The application raised an exception."""


class Exchange:
    """One request of a connection.

    Attributes:
        head: of the request.
        client, server: the addresses of the connection; ``None`` for a unix socket.
        queued: bytes of the body that the application has not read.
        body_done: whether the whole body has arrived.
        started: whether the head of the response was written.
        ends_with_connection: whether only the end of the connection ends the response.
        finished: whether the response is complete.
        switched: whether the connection was handed over to another protocol.
        left: whether the client has closed its sending side, or was refused.
        gone: whether the client can't read a response any more.
        on_left: called when the client disconnects, instead of cancelling the task. Its argument: whether it can't read
            a response any more (it may have closed its sending side only).
        on_stop: called when the server stops and its grace period is over, if there is no task.
    """

    # Defaults for what few requests change: most need no task, no queue, no framing.
    _scope: Scope | None = None
    _task: asyncio.Task[None] | None = None
    _waiter: asyncio.Future[None] | None = None
    _pieces: list[bytes] | None = None
    _end_delivered = False
    _start: Message | None = None
    _chunked = False
    _missing = _NO_LENGTH  # bytes left of the announced length
    _trailers = False
    queued = 0
    body_done = False
    started = False
    ends_with_connection = False
    finished = False
    switched = False
    left = False
    gone = False
    on_left: Callable[[bool], None] | None = None
    on_stop: Callable[[], None] | None = None

    def __init__(self, stream: Stream, head: RequestHead, client: Address, server: Address) -> None:
        self._stream = stream
        self.head = head
        self.client = client
        self.server = server
        self._keep = head.keep
        self._no_body = head.method == "HEAD"
        self._expects = head.fields.expects_continue and head.minor == 1

    def __repr__(self) -> str:
        return f"Exchange({self.head!r}, finished={self.finished})"

    @property
    def scope(self) -> Scope:
        """The scope of ASGI; made when it is first asked for."""
        if self._scope is None:
            self._scope = _scope(self.head, self.client, self.server)
            if self.head.fields.upgrade:
                self._scope[SWITCH] = self._switch
        return self._scope

    # -- for the connection ------------------------------------------------------------------------------------------

    def run(self, app: ASGIApp) -> None:
        """Run the application in a task."""
        self._trailers = self.head.fields.trailers and self.head.minor == 1
        if self._trailers:
            self.scope["extensions"]["http.response.trailers"] = {}
        self.scope[CLIENT] = self
        try:
            work = app(self.scope, self.receive, self.send)
        except Exception as error:
            self._stream.failed(self, error)
        else:
            self._task = asyncio.get_running_loop().create_task(self._run(work))

    def add(self, piece: bytes, *, done: bool) -> None:
        """Queue the next bytes of the body."""
        if piece and not self.finished:
            if self._pieces is None:
                self._pieces = []
            self._pieces.append(piece)
            self.queued += len(piece)
            self._expects = False  # the client has not waited for 100
        self.body_done = done
        self._wake()

    def disconnected(self, *, gone: bool) -> None:
        """The client has closed its connection, or was refused.

        Args:
            gone: whether it can't read a response any more.
        """
        if self.finished or (self.left and not gone):
            return
        self.left = True
        self.gone = gone
        if self.on_left is not None:
            self.on_left(gone)
        elif self._waiter is not None:
            self._wake()
        elif (gone or self.started) and self._task is not None:
            # Clients of a stream leave by closing; one that closes its sending side alone is not known to read on.
            self._cancel()

    def stop(self) -> None:
        """The server stops and its grace period is over: end the request."""
        if self._task is not None:
            self._cancel(STOPPED)
        elif self.on_stop is not None:
            self.on_stop()

    # -- for an application without a task ---------------------------------------------------------------------------

    def respond(self, status: int, block: HeaderBlock, body: bytes, length: int | None) -> None:
        """Send a whole response.

        Args:
            length: for ``Content-Length``; ``None`` = none is sent.
        """
        if self.finished:
            return
        keep = self._keeps(block, complete=True)
        head = self._head(status, block, b"Content-Length: %d\r\n" % length if length is not None else b"", keep)
        self.started = self.finished = True
        if len(body) < _COPY_BELOW:
            self._stream.write(head + body)
        else:
            self._stream.write_pair(head, body)
        self._stream.response_ended(keep=keep)

    def abort(self) -> None:
        """Close the connection: no response is possible."""
        self._stream.given_up(self)

    def cut(self) -> None:
        """Close the connection now, and drop what the client has not read."""
        if not self.finished:
            self._stream.abort()

    def continue_in_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Go on with a coroutine that uses :meth:`send`."""
        self.on_left = self.on_stop = None
        self._task = asyncio.get_running_loop().create_task(self._run(work))

    # -- ASGI --------------------------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """The next part of the body; after its end, ``http.disconnect`` when the client has gone."""
        while True:
            if self._pieces:
                pieces, self._pieces = self._pieces, None
                self.queued = 0
                self._end_delivered = self.body_done
                self._stream.body_taken()
                body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                return {"type": "http.request", "body": body, "more_body": not self.body_done}
            if self.body_done and not self._end_delivered:
                self._end_delivered = True
                return {"type": "http.request", "body": b"", "more_body": False}
            if self.left or self.finished:
                return {"type": "http.disconnect"}
            if self._expects and not self.started:
                self._expects = False
                self._stream.write(_CONTINUE)
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def send(self, message: Message) -> None:
        """Send a part of the response; waits while the client does not read.

        Raises:
            ConnectionResetError: the client has disconnected.
            RuntimeError, ValueError: the message is not allowed here, or not valid.
        """
        if self.gone:
            raise ConnectionResetError("the client has disconnected")
        kind = message["type"]
        if self.switched:
            return
        if kind == "http.response.start":
            if self.started or self._start is not None:
                raise RuntimeError("the response has already started")
            self._start = message
            return
        if kind == "http.response.body":
            if self.finished:
                return
            body = message.get("body", b"")
            more = message.get("more_body", False)
            start, self._start = self._start, None
            if start is not None:
                self._begin(start, body, more)
            elif self.started:
                self._continue(body, more)
            else:
                raise RuntimeError("the response has not started")
        elif kind == _ZERO_COPY:
            await self._send_file(message)
            return
        elif kind == "http.response.trailers":
            self._end_with_trailers(message.get("headers", ()))
        elif kind == "http.response.informational":
            self._inform(message)
        waiter = self._stream.writable()
        if waiter is not None:
            await asyncio.shield(waiter)
            if self.gone:
                raise ConnectionResetError("the client has disconnected")

    async def _send_file(self, message: Message) -> None:
        """A part of a file, as a piece of the body (the ASGI extension "zero copy send")."""
        if self.finished:
            return
        start, self._start = self._start, None
        if start is not None:
            self._begin(start, b"", True)
        elif not self.started:
            raise RuntimeError("the response has not started")
        file: int = message["file"].fileno()
        offset, count = message.get("offset"), message.get("count")
        if offset is None:
            offset = os.lseek(file, 0, os.SEEK_CUR)
        if count is None:
            count = max(0, os.fstat(file).st_size - offset)
        if self._missing != _NO_LENGTH:
            count = min(count, self._missing)
        if count and not self._no_body:
            if self._chunked:
                self._stream.write(b"%x\r\n" % count)
            try:
                await self._stream.send_file(file, offset, count)
            except BaseException as wrong:
                if isinstance(wrong, ConnectionError):
                    self.left = self.gone = True
                self._stream.given_up(self)  # a part is missing, so nothing can follow
                raise
            if self._chunked:
                self._stream.write(b"\r\n")
            if self._missing != _NO_LENGTH:
                self._missing -= count
        self._continue(b"", message.get("more_body", False))

    def _switch(self, name: bytes, headers: Iterable[tuple[bytes, bytes]], protocol: asyncio.Protocol) -> None:
        """Switch to another protocol; see ``asgi.Switch``."""
        if self.left:
            raise ConnectionResetError("the client has closed its sending side")
        if self.started or not self.body_done or not self.head.minor:
            raise RuntimeError("the connection can't switch to another protocol now")
        self.started = self.finished = self.switched = True
        self.on_left = self.on_stop = None
        head = b"%sUpgrade: %s\r\nConnection: Upgrade\r\n%s\r\n"
        self._stream.switch(head % (status_line(101), name, HeaderBlock(headers).lines), protocol)

    def _inform(self, message: Message) -> None:
        if self.head.minor and not self.started:
            block = HeaderBlock(message.get("headers", ()))
            self._stream.write(b"%s%s\r\n" % (status_line(message["status"]), block.lines))

    def _begin(self, start: Message, body: bytes, more: bool) -> None:
        status: int = start["status"]
        if not 200 <= status <= 999:
            raise ValueError(f"{status} is not the status of a final response")
        block = HeaderBlock(start.get("headers", ()))
        no_body = self._no_body or status in _BODILESS
        keep = self._keeps(block, complete=not more)
        trailers = self._trailers and start.get("trailers", False) and not no_body
        length = block.length
        if no_body:
            body = b""
        elif trailers:
            length = None
        elif length is None and not more:
            length = len(body)
        framing = b""
        if length is not None and status != 204:
            framing = b"Content-Length: %d\r\n" % length
        elif not no_body:
            if self.head.minor:
                self._chunked = True
                framing = b"Transfer-Encoding: chunked\r\n"
            else:
                keep = False
                self.ends_with_connection = True
        self._keep = keep
        self._no_body = no_body
        self._missing = _NO_LENGTH if length is None or no_body else length
        head = self._head(status, block, framing, keep)
        self.started = True
        self._trailers = trailers
        self._write(head, body, last=not more)

    def _keeps(self, block: HeaderBlock, *, complete: bool) -> bool:
        """Whether the connection is kept after this response; decided when its head is written, which says so."""
        if not self._keep or block.close:
            return False
        if self._expects and not self.body_done:
            # The client still waits for 100. It may send the body or not, so its next request can't be found.
            return False
        return self._stream.can_keep(complete=complete)

    def _continue(self, body: bytes, more: bool) -> None:
        self._write(b"", b"" if self._no_body else body, last=not more)

    def _end_with_trailers(self, headers: Any) -> None:
        if not self._trailers or self.finished:
            return
        self._stream.write(b"0\r\n%s\r\n" % HeaderBlock(headers).lines)
        self._finish()

    def _head(self, status: int, block: HeaderBlock, framing: bytes, keep: bool) -> bytes:
        connection = _CLOSE if not keep else b"" if self.head.minor else _KEEP_ALIVE
        date = b"" if block.dated else date_line()
        return b"".join((status_line(status, self.head.minor), block.lines, framing, date, connection, b"\r\n"))

    def _write(self, head: bytes, body: bytes, *, last: bool) -> None:
        """Write a part of the body, never more than the announced length. Large parts are not copied."""
        last = last and not self._trailers
        tail = b""
        if self._chunked:
            if body:
                head += b"%x\r\n" % len(body)
                tail = b"\r\n"
            if last:
                tail += _LAST_CHUNK
        elif self._missing != _NO_LENGTH:
            body = body[: self._missing]
            self._missing -= len(body)
        if len(body) < _COPY_BELOW:
            data = head + body + tail
            if data:
                self._stream.write(data)
        else:
            self._stream.write_pair(head, body)
            if tail:
                self._stream.write(tail)
        if last:
            self._finish()

    def _finish(self) -> None:
        self.finished = True
        self._wake()
        if self._missing > 0:  # shorter than announced: only the end of the connection tells the client
            self._stream.given_up(self)
        else:
            self._stream.response_ended(keep=self._keep)

    async def _run(self, work: Any) -> None:
        try:
            await work
        except asyncio.CancelledError:
            pass  # by disconnected() or stop()
        except Exception as error:
            if not self.gone:
                self._stream.failed(self, error)
        else:
            if not self.started and not self.left:
                self._stream.failed(self, RuntimeError("the application returned without a response"))
        if not self.finished:
            self._stream.given_up(self)

    def _cancel(self, reason: str | None = None) -> None:
        """Cancel the task, but not before its first step: it would drop the coroutine, and what that has to release."""
        if self._task is not None:
            asyncio.get_running_loop().call_soon(partial(self._task.cancel, reason))

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def _scope(head: RequestHead, client: Address, server: Address) -> Scope:
    path = head.path
    scope: Scope = {
        "type": "http",
        "asgi": _ASGI,
        "http_version": "1.1" if head.minor else "1.0",
        "method": head.method,
        "scheme": "http",
        "path": path.decode() if path.isascii() and b"%" not in path else _decode(path),
        "raw_path": path,
        "query_string": head.query or b"",
        "root_path": "",
        "headers": head.headers(),
        "client": client,
        "server": server,
        "extensions": {name: {} for name in _EXTENSIONS},
    }
    if head.query is None:
        scope[BARE_QUERY] = True
    return scope


def _decode(path: bytes) -> str:
    return unquote_to_bytes(path).decode("utf-8", "replace")
