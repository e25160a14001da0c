"""One QUIC connection: receives events, runs requests, sends frames.

aioquic buffers sent data without limit until the client acknowledges it. So a response waits in ``send`` when
``_AHEAD`` bytes are buffered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import ErrorCode, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    ProtocolNegotiated,
    QuicEvent,
    StopSendingReceived,
    StreamReset,
)

from pyroadrunner.asgi import ASGIApp, Message, Scope
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.protocols.http3.messages import Headers, head, scope_of
from pyroadrunner.plugins.http.protocols.request_body import BodyQueue

_AHEAD = 512 * 1024  # bytes

log = Log("http")


class Http3Connection(QuicConnectionProtocol):
    """Handles one connection.

    Args:
        server: our own address.
        running: tasks of the requests of all connections; each connection adds and removes its own.
        refusing: whether new requests are refused.
    """

    def __init__(
        self,
        quic: QuicConnection,
        stream_handler: Any = None,
        *,
        app: ASGIApp,
        server: tuple[str, int],
        running: set[asyncio.Task[None]],
        refusing: Callable[[], bool],
    ) -> None:
        super().__init__(quic, stream_handler)
        self._app = app
        self._server = server
        self._running = running
        self._refusing = refusing
        self._http: H3Connection | None = None
        self._requests: dict[int, Http3Request] = {}

    # -- what aioquic calls ----------------------------------------------------------------------------------------

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
        elif isinstance(event, StreamReset | StopSendingReceived):
            self._abort(event.stream_id)
        elif isinstance(event, ConnectionTerminated):
            for stream in list(self._requests):
                self._abort(stream)
        if self._http is not None:
            for each in self._http.handle_event(event):
                self._on_event(each)

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        super().datagram_received(data, addr)
        for request in self._requests.values():
            request.resume()  # the client may have acknowledged data

    # -- what requests call ----------------------------------------------------------------------------------------

    def has_taken(self, stream: int) -> bool:
        """Whether everything written to a stream has been sent."""
        found = self._quic._streams.get(stream)  # aioquic has no public method for this
        return found is None or found.sender.buffer_is_empty

    def send(self, stream: int, headers: Headers | None, data: bytes, *, end: bool) -> None:
        """Send a piece of a response."""
        assert self._http is not None
        if headers is not None:
            self._http.send_headers(stream, headers, end_stream=end and not data)
        if data or (end and headers is None):
            self._http.send_data(stream, data, end_stream=end)
        self.transmit()

    def cut(self, stream: int, *, code: ErrorCode, whole: bool) -> None:
        """Reset a stream, in both directions if the client is still sending."""
        try:
            self._quic.reset_stream(stream, code)
            if not whole:
                self._quic.stop_stream(stream, code)
        except ValueError:
            pass  # the stream has already ended
        self.transmit()

    def stop_reading(self, stream: int) -> None:
        """Ask the client not to send the rest of a request: the response has been sent."""
        try:
            self._quic.stop_stream(stream, ErrorCode.H3_NO_ERROR)
        except ValueError:
            return
        self.transmit()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _on_event(self, event: H3Event) -> None:
        if isinstance(event, HeadersReceived):
            if event.stream_id in self._requests:  # trailers
                self._requests[event.stream_id].put(b"", whole=event.stream_ended)
            else:
                self._begin(event)
        elif isinstance(event, DataReceived) and event.stream_id in self._requests:
            self._requests[event.stream_id].put(event.data, whole=event.stream_ended)

    def _begin(self, event: HeadersReceived) -> None:
        peer = self._quic._network_paths[0].addr
        scope = scope_of(event.headers, (peer[0], peer[1]), self._server)
        if scope is None or self._refusing():
            code = ErrorCode.H3_MESSAGE_ERROR if scope is None else ErrorCode.H3_REQUEST_REJECTED
            self.cut(event.stream_id, code=code, whole=event.stream_ended)
            return
        request = self._requests[event.stream_id] = Http3Request(self, event.stream_id, whole=event.stream_ended)
        task = asyncio.get_running_loop().create_task(request.run(self._app, scope))
        self._running.add(task)
        task.add_done_callback(lambda task: self._on_task_done(task, event.stream_id))

    def _on_task_done(self, task: asyncio.Task[None], stream: int) -> None:
        self._running.discard(task)
        request = self._requests.pop(stream, None)
        failed = not task.cancelled() and task.exception() is not None
        if failed:
            log.error("http3: a request failed", error=repr(task.exception()))
        if request is not None and not request.finished and not request.aborted:
            self.cut(stream, code=ErrorCode.H3_INTERNAL_ERROR, whole=request.whole)

    def _abort(self, stream: int) -> None:
        request = self._requests.get(stream)
        if request is not None:
            request.abort()


class Http3Request:
    """One request between its connection and the application.

    Attributes:
        finished: whether the response is complete.
    """

    def __init__(self, connection: Http3Connection, stream: int, *, whole: bool) -> None:
        self._connection = connection
        self._stream = stream
        self._body_queue = BodyQueue(whole=whole)
        self._taken = asyncio.Event()
        self._head: Headers | None = None
        self._ahead = 0
        self.finished = False

    @property
    def whole(self) -> bool:
        """Whether the body is complete."""
        return self._body_queue.whole

    @property
    def aborted(self) -> bool:
        """Whether the client no longer waits for the response."""
        return self._body_queue.aborted

    def put(self, data: bytes, *, whole: bool) -> None:
        """Add a piece of the body."""
        self._body_queue.put(data, end=whole)

    def abort(self) -> None:
        """The client has disconnected."""
        self._body_queue.abort()
        self._taken.set()

    def resume(self) -> None:
        """Continue sending if the client has acknowledged the previous data."""
        if self._ahead and self._connection.has_taken(self._stream):
            self._ahead = 0
            self._taken.set()

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Run the application."""
        await app(scope, self._body_queue.receive, self._send)

    async def _send(self, message: Message) -> None:
        if self.aborted:
            raise ConnectionResetError("the client has closed the stream")
        if message["type"] == "http.response.start":
            self._head = head(message)  # sent with the first piece of the body
            return
        if message["type"] != "http.response.body" or self.finished:
            return
        headers, self._head = self._head, None
        body: bytes = message.get("body", b"")
        for start in range(0, max(len(body), 1), _AHEAD):
            piece = body[start : start + _AHEAD]
            last = start + _AHEAD >= len(body)
            end = last and not message.get("more_body")
            self.finished = end
            self._connection.send(self._stream, headers, piece, end=end)
            headers = None
            self._ahead += len(piece)
            if not end and self._ahead >= _AHEAD:
                await self._wait()
        if self.finished:
            self._body_queue.close()
            if not self.whole:
                self._connection.stop_reading(self._stream)

    async def _wait(self) -> None:
        self._taken.clear()
        self.resume()
        await self._taken.wait()
        if self.aborted:
            raise ConnectionResetError("the client has closed the stream")
