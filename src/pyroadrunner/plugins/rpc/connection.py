"""One client of RPC: cuts what it sends into calls, runs them side by side, answers each when it is done.

Theory of operation. Nothing a client does can hold up another one. It has three limits of its own: a frame of
``MAX_REQUEST`` bytes (a larger call is answered with an error and read past, so that its client, which may write all of
it before it reads, gets the answer), ``MAX_RUNNING`` calls at a time (more wait in ``_waiting``, and nothing is read
meanwhile), and ``MAX_UNREAD`` bytes of answers it has not read; past that it is cut off, since a client that sends
calls and never reads would otherwise fill the memory.

A client that ends its side, or sends what is no call, gets the answers of its running calls; then the connection is
closed (goridge does the same). What it says after something that is no call is not looked at: where the next frame
would start is unknown. Calls of a client that has gone run to their end, as in RoadRunner: a reset half done would be
worse than one nobody waits for. Only methods that say so (``cancel_on_disconnect``: waiting for a lock) are cancelled,
also when the client ends just its own side: a process that was killed looks the same.
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
_BEGINNING = 1024  # bytes kept of one that is larger: the method's name is in them
MAX_UNREAD = 16 << 20  # bytes of answers the client has not read when another one is due
MAX_RUNNING = 1024  # calls of one client at a time

log = Log("rpc")


class ConnectionOwner(Protocol):
    """Who wants to know which connections there are."""

    def opened(self, connection: RpcConnection) -> None: ...

    def closed(self, connection: RpcConnection) -> None: ...


class RpcConnection(asyncio.Protocol):
    """One client's connection.

    Attributes:
        tasks: its calls that are running, by what was called.
        called: whether it has made a call.
    """

    def __init__(self, methods: Methods, owner: ConnectionOwner) -> None:
        self.tasks: dict[Call, asyncio.Task[None]] = {}
        self.called = False
        self._cancel_on_disconnect: dict[Call, asyncio.Task[None]] = {}  # of them, those that end with the client
        self._methods = methods
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._frames = FrameReader(MAX_REQUEST, beginning=_BEGINNING)
        self._waiting: deque[Frame] = deque()
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._ending = False  # no call is taken any more

    def __repr__(self) -> str:
        state = "closed" if self._transport is None else "ending" if self._ending else "open"
        return f"RpcConnection({state}, running={len(self.tasks)}, waiting={len(self._waiting)})"

    def end(self) -> None:
        """Take no more calls; close when the running ones are answered. Idempotent."""
        self._waiting.clear()
        self._finish()

    def abort(self) -> None:
        """Close now; what is not sent is lost. Idempotent."""
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
            # Nearly always: one call, all of it, and room to run it.
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
        return True  # the transport stays: answers are still to be written

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transport = None
        self._ending = True
        self._waiting.clear()
        self._cancel_abandoned()
        self._owner.closed(self)

    def _cancel_abandoned(self) -> None:
        for task in self._cancel_on_disconnect.values():
            self._loop.call_soon(task.cancel)  # soon: a task that has not begun would not get to its clean-up
        self._cancel_on_disconnect.clear()

    # calls

    def _start_waiting(self) -> None:
        """Start calls that wait, as many as may run; read on only when none is left."""
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
        except Exception as error:  # a bug of the method ends this call, nothing else
            frame = _failure(call, error)
        self._send(frame)

    async def _wait(self, call: Call, method: Method, result: Awaitable[Any]) -> None:
        try:
            frame = encode_result(call, method.result(call, await result))
        except asyncio.CancelledError:  # by us when the server stops, or by the method's own doing
            frame = encode_error(call, f"{method.name}: the call was cut short")
        except Exception as error:  # as above
            frame = _failure(call, error)
        self._cancel_on_disconnect.pop(call, None)
        del self.tasks[call]  # here and not in a callback of the task, which would be a turn of the loop more
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
            log.warning("a client does not read its answers and is cut off", unread=transport.get_write_buffer_size())
            transport.abort()
            return
        transport.write(frame)

    # the end

    def _refuse_call(self, large: FramePassedOver) -> None:
        """Answer a call that is too large right away; the connection goes on behind it."""
        self.called = True
        try:
            call = read_call(Frame(large.flags, large.beginning, large.options))
        except RemoteFrameError as error:
            self._refuse(error)
            return
        name = call.method.decode("utf-8", "replace")
        log.warning("a call is too large and is refused", method=name, bytes=large.length, limit=large.limit)
        self._send(encode_error(call, f"{name}: a call of {large.length} bytes exceeds the limit of {large.limit}"))

    def _refuse(self, error: RemoteFrameError) -> None:
        log.warning("a client sent what is no call; its connection is closed", error=error.reason)
        self._finish()

    def _finish(self) -> None:
        """End, when the last call is answered at the latest."""
        if not self._ending:
            self._ending = True
            if self._transport is not None:
                self._transport.pause_reading()
        if not self.tasks and not self._waiting and self._transport is not None:
            self._transport.close()


class _Awaited(dict[type, bool]):
    """Whether values of a type are awaited. Remembered: protobuf's messages take microseconds to say no."""

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
