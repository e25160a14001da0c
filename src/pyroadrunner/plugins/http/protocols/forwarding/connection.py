"""One connection whose first bytes are inspected; if it is not for us, it is forwarded to the engine byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from pyroadrunner.log import Log
from pyroadrunner.plugins.http.protocols.forwarding.tunnel import Tunnel
from pyroadrunner.plugins.http.protocols.forwarding.upstream import Upstream
from pyroadrunner.plugins.http.protocols.transport import Transport

log = Log("http")


class ForwardingConnection(Transport):
    """Buffers data until the subclass recognizes it (:meth:`inspect`) and either handles or forwards the connection.

    Args:
        upstream: where to forward connections; ``None`` = not possible.
        closed: called with this connection once it is closed and its tasks have ended.
    """

    def __init__(self, upstream: Upstream | None, closed: Callable[[Any], None]) -> None:
        super().__init__("client")
        self._upstream = upstream
        self._closed = closed
        self._buffer = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tunnel: Tunnel | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(buffer={len(self._buffer)}, tunnel={self._tunnel!r})"

    def inspect(self) -> None:
        """New data has arrived, and the connection is not forwarded. To be overridden."""
        raise NotImplementedError

    # -- what asyncio calls ----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.write(data)
            return
        self._buffer += data
        self.inspect()

    def eof_received(self) -> bool:
        """A client may close its sending side and still wait for the response."""
        if self._tunnel is not None:
            self._tunnel.write_eof()
            return True
        return False

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._tunnel is not None:
            self._tunnel.pause(True)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._tunnel is not None:
            self._tunnel.pause(False)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._tunnel is not None:
            self._tunnel.close()
        self._check_closed()

    # -- for the classes below -------------------------------------------------------------------------------------

    def _pass_on(self) -> None:
        assert self._transport is not None
        assert self._upstream is not None
        self._tunnel = Tunnel(self._transport, self._upstream, bytes(self._buffer))
        self._buffer.clear()
        self._run(self._tunnel.connect())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (wrong := task.exception()) is not None:
            log.error("a request failed", error=repr(wrong))
            self.abort()
        self._tasks.discard(task)
        self._check_closed()

    def _check_closed(self) -> None:
        if self._lost and not self._tasks:
            self._closed(self)
