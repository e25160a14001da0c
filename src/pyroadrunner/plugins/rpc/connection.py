"""One RPC client: splits the received bytes into calls, runs them concurrently, and replies to each when it is done.

Theory of operation. No client can block another one. Each connection has three limits. A frame has at most
``MAX_REQUEST`` bytes: a larger call gets an error and its bytes are skipped, so that a client that writes all of it
before reading gets the reply. At most ``MAX_RUNNING`` calls run at a time: more wait in ``_waiting``, and nothing is
read meanwhile. At most ``MAX_UNREAD`` bytes of replies may be unread: beyond that the connection is closed, since a
client that sends calls and never reads would otherwise fill the memory.

A client that shuts down its side, or sends a malformed call, gets the replies of its running calls; then the connection
is closed (goridge does the same). Bytes after a malformed call are ignored: the start of the next frame is unknown.
Calls of a disconnected client run to their end, as in RoadRunner: a half-done reset would be worse than one without a
reader for its reply. Only methods with ``cancel_on_disconnect`` (waiting for a lock) are cancelled, also if the client
shuts down only its own side: a killed process looks the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import Any, Protocol, cast

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.goridge.errors import FramePassedOver, RemoteFrameError
from pyroadrunner.goridge.frame import Frame
from pyroadrunner.goridge.reader import FrameReader
from pyroadrunner.goridge.rpc import Call, encode_error, encode_result, read_call
from pyroadrunner.log import Log
from pyroadrunner.plugins.rpc.arguments import no_codec
from pyroadrunner.plugins.rpc.methods import Method, Methods

MAX_REQUEST = 64 << 20  # bytes of one call's payload
_BEGINNING = 1024  # bytes kept of a larger call: they contain the method's name
MAX_UNREAD = 16 << 20  # bytes of unread replies at which the next reply closes the connection
MAX_RUNNING = 1024  # concurrent calls per client

log = Log("rpc")


class ConnectionOwner(Protocol):
    """Callbacks of a connection to its server."""

    def opened(self, connection: RpcConnection) -> None: ...

    def closed(self, connection: RpcConnection) -> None: ...


class RpcConnection(asyncio.Protocol):
    """The connection of one client.

    Attributes:
        tasks: tasks of the running calls.
        called: whether the client has made a call.
    """

    def __init__(self, methods: Methods, owner: ConnectionOwner) -> None:
        self.tasks: dict[Call, asyncio.Task[None]] = {}
        self.called = False
        self._cancel_on_disconnect: dict[Call, asyncio.Task[None]] = {}  # those to cancel when the client disconnects
        self._methods = methods
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._frames = FrameReader(MAX_REQUEST, beginning=_BEGINNING)
        self._waiting: deque[Frame] = deque()
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._ending = False  # no new calls are accepted

    def __repr__(self) -> str:
        state = "closed" if self._transport is None else "ending" if self._ending else "open"
        return f"RpcConnection({state}, running={len(self.tasks)}, waiting={len(self._waiting)})"

    def end(self) -> None:
        """Accept no more calls; close after the replies of the running ones. Idempotent."""
        self._waiting.clear()
        self._finish()

    def abort(self) -> None:
        """Close immediately, dropping unsent data. Idempotent."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        try:
            frames = self._frames.feed(data)
        except FramePassedOver as large:
            self._waiting.extend(self._frames.completed)
            self._start_waiting()
            self._refuse_call(large)
            if large.rest:
                self.data_received(large.rest)
            return
        except RemoteFrameError as error:
            self._waiting.extend(self._frames.completed)
            self._start_waiting()
            self._refuse(error)
            return
        if len(frames) == 1 and not self._waiting and len(self.tasks) < MAX_RUNNING:
            # The usual case: one complete call that can run immediately.
            try:
                call = read_call(frames[0])
            except RemoteFrameError as error:
                self._refuse(error)
            else:
                self._start(call)
            return
        self._waiting.extend(frames)
        self._start_waiting()

    def eof_received(self) -> bool:
        self._cancel_abandoned()
        self._finish()
        return True  # keep the transport open for replies

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._ending = True
        self._waiting.clear()
        self._cancel_abandoned()
        self._owner.closed(self)

    def _cancel_abandoned(self) -> None:
        for task in self._cancel_on_disconnect.values():
            self._loop.call_soon(task.cancel)  # call_soon: a task that has not started yet would not reach its cleanup
        self._cancel_on_disconnect.clear()

    # calls

    def _start_waiting(self) -> None:
        """Start waiting calls up to the limit; resume reading when none is left."""
        waiting = self._waiting
        while waiting and len(self.tasks) < MAX_RUNNING:
            try:
                call = read_call(waiting.popleft())
            except RemoteFrameError as error:
                waiting.clear()
                self._refuse(error)
                return
            self._start(call)
        if self._transport is None or self._ending:
            return
        if waiting:
            if not self._paused:
                self._paused = True
                self._transport.pause_reading()
        elif self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _start(self, call: Call) -> None:
        self.called = True
        try:
            method = self._methods.find(call.method)
            codec = call.codec
            result = method.call(method.readers.get(codec, no_codec)(call.body))
            if _awaited[type(result)]:
                self.tasks[call] = task = self._loop.create_task(self._wait(call, method, result))
                if method.cancel_on_disconnect:
                    self._cancel_on_disconnect[call] = task
                return
            frame = encode_result(call, method.writers[codec](result))
        except Exception as error:  # a bug in the method fails only this call
            frame = _failure(call, error)
        self._send(frame)

    async def _wait(self, call: Call, method: Method, result: Awaitable[Any]) -> None:
        try:
            frame = encode_result(call, method.result(call, await result))
        except asyncio.CancelledError:  # by the server's stop, or by the method itself
            frame = encode_error(call, f"{method.name}: the call was cancelled")
        except Exception as error:  # as above
            frame = _failure(call, error)
        self._cancel_on_disconnect.pop(call, None)
        del self.tasks[call]  # here and not in a callback of the task, which would take another loop iteration
        self._send(frame)
        if self._waiting:
            self._start_waiting()
        if self._ending:
            self._finish()

    def _send(self, frame: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNREAD:
            log.warning(
                "a client does not read its replies; closing its connection", unread=transport.get_write_buffer_size()
            )
            transport.abort()
            return
        transport.write(frame)

    # the end

    def _refuse_call(self, large: FramePassedOver) -> None:
        """Reply to a call that is too large immediately; the connection stays open."""
        self.called = True
        try:
            call = read_call(Frame(large.flags, large.beginning, large.options))
        except RemoteFrameError as error:
            self._refuse(error)
            return
        name = call.method.decode("utf-8", "replace")
        log.warning("refused a call that is too large", method=name, bytes=large.length, limit=large.limit)
        self._send(encode_error(call, f"{name}: a call of {large.length} bytes exceeds the limit of {large.limit}"))

    def _refuse(self, error: RemoteFrameError) -> None:
        log.warning("a client sent a malformed call; closing its connection", error=error.reason)
        self._finish()

    def _finish(self) -> None:
        """Close the connection, at the latest after the reply to the last call."""
        if not self._ending:
            self._ending = True
            if self._transport is not None:
                self._transport.pause_reading()
        if not self.tasks and not self._waiting and self._transport is not None:
            self._transport.close()


class _Awaited(dict[type, bool]):
    """Whether values of a type are awaitable. Cached: the check takes microseconds for protobuf messages."""

    def __missing__(self, kind: type) -> bool:
        self[kind] = hasattr(kind, "__await__")
        return self[kind]


_awaited = _Awaited()


def _failure(call: Call, error: Exception) -> bytes:
    if isinstance(error, RoadRunnerError):
        return encode_error(call, str(error))
    name = call.method.decode("utf-8", "replace")
    log.error("method failed", method=name, error=f"{type(error).__name__}: {error}")
    return encode_error(call, f"{name}: internal error: {type(error).__name__}: {error}")
