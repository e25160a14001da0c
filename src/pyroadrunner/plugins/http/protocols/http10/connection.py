"""One connection: HTTP/1.0 is handled here, everything else is forwarded to the engine.

A connection waits for the first complete line. If it says HTTP/1.0, the request is read and handled here; if the
connection is kept, this repeats for the next request. Otherwise a connection to the engine is opened, and all bytes are
copied unchanged in both directions: HTTP/1.1, HTTP/2, WebSocket, and also malformed requests, which the engine refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.protocols.forwarding.connection import ForwardingConnection
from pyroadrunner.plugins.http.protocols.forwarding.upstream import Upstream
from pyroadrunner.plugins.http.protocols.http10.exchange import Http10Exchange
from pyroadrunner.plugins.http.protocols.http10.head import END, VERSION, BadRequest, RequestHead, parse, refusal

_LONGEST_HEAD = 1 << 20  # bytes, as in the engine
_LONGEST_LINE = 1 << 16  # bytes of a first line; longer lines are forwarded, for the engine to refuse

log = Log("http")


class Http10Connection(ForwardingConnection):
    """Handles one connection.

    Args:
        engine: where to forward everything but HTTP/1.0.
        closed: called with this connection once it is closed and its request has ended.
    """

    def __init__(self, app: ASGIApp, engine: Upstream, closed: Callable[[Http10Connection], None]) -> None:
        super().__init__(engine, closed)
        self._app = app
        self._exchange: Http10Exchange | None = None
        self._last = False
        self.since = asyncio.get_running_loop().time()  # time of the last data, or of the start

    def __repr__(self) -> str:
        return f"Http10Connection(buffer={len(self._buffer)}, exchange={self._exchange!r}, tunnel={self._tunnel!r})"

    @property
    def waits(self) -> bool:
        """Whether the client has to send: a head, or the rest of a body that is no longer needed."""
        return self._tunnel is None and (self._exchange is None or self._exchange.finished)

    # -- what asyncio calls ----------------------------------------------------------------------------------------

    def eof_received(self) -> bool:
        """A client may close its sending side and still wait for the response."""
        if super().eof_received():
            return True
        return self._exchange is not None and self._exchange.body_queue.whole and not self._exchange.finished

    def connection_lost(self, exc: Exception | None) -> None:
        if self._exchange is not None:
            self._exchange.body_queue.abort()
        super().connection_lost(exc)

    # -- what the listener calls -----------------------------------------------------------------------------------

    def close_after_response(self) -> None:
        """Close after the next response. Forwarded connections are up to the engine."""
        self._last = True

    def refuse(self) -> None:
        """Let a running request end, accept no other."""
        self._last = True
        if self.waits:
            self._close()

    # -- what an exchange calls ------------------------------------------------------------------------------------

    def ended(self, *, keep: bool) -> None:
        """A response has been sent. If the body is still arriving, read it to its end: closing now would reset the
        connection, and the client could lose the response."""
        assert self._exchange is not None
        if not self._exchange.body_queue.whole:
            if self._transport is not None and not self._transport.is_closing():
                self._transport.write_eof()
        elif not keep or self._last:
            self._close()
        else:
            self._exchange = None
            self._inspect()

    # -- inside ----------------------------------------------------------------------------------------------------

    def inspect(self) -> None:
        """Parse a head or a piece of a body; forward everything that is not HTTP/1.0."""
        self.since = asyncio.get_running_loop().time()
        if self._exchange is not None:
            self._feed(self._exchange)
        else:
            self._inspect()

    def _inspect(self) -> None:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_LINE:
                self._pass_on()
            return
        if not self._buffer.startswith(VERSION, max(0, end + 1 - len(VERSION))):
            self._pass_on()
            return
        end = self._buffer.find(END)
        if end < 0 or end > _LONGEST_HEAD:
            if len(self._buffer) > _LONGEST_HEAD:
                self._refuse(431)
            return
        head = bytes(self._buffer[:end])
        del self._buffer[: end + len(END)]
        try:
            self._begin(parse(head, self._address("peername"), self._address("sockname")))
        except BadRequest as wrong:
            log.debug("request forming error", error=str(wrong))
            self._refuse(400)

    def _begin(self, request: RequestHead) -> None:
        self._exchange = Http10Exchange(self, request)
        self._feed(self._exchange)
        self._run(self._exchange.run(self._app, request))

    def _feed(self, exchange: Http10Exchange) -> None:
        piece = bytes(self._buffer[: exchange.missing])
        if piece:
            del self._buffer[: len(piece)]
            exchange.put(piece)
            if exchange.finished and exchange.body_queue.whole:
                self._close()
        elif len(self._buffer) > _LONGEST_HEAD:
            self.abort()  # too much data after an unfinished request: no well-behaved client sends that

    def _refuse(self, status: int) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(refusal(status))
        self._close()

    def _address(self, name: str) -> tuple[str, int] | None:
        assert self._transport is not None
        found: Any = self._transport.get_extra_info(name)
        return (found[0], found[1]) if isinstance(found, tuple) and len(found) >= 2 else None
