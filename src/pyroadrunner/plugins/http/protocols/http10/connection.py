"""One connection: HTTP/1.0 is answered here, all else is passed on to the engine.

It begins by waiting for a whole first line. When that says HTTP/1.0, the request is read and answered here, and the
next one, if the connection is kept, begins anew. Else a connection to the engine is opened, and bytes go to and fro
untouched from then on: HTTP/1.1, HTTP/2, WebSocket, and what is no request, since the engine knows best how to refuse.
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
_LONGEST_LINE = 1 << 16  # bytes without an end of a line: let the engine refuse them

log = Log("http")


class Http10Connection(ForwardingConnection):
    """What happens on one connection.

    Args:
        engine: who gets what is not HTTP/1.0.
        closed: called with this once it is over and its request has ended.
    """

    def __init__(self, app: ASGIApp, engine: Upstream, closed: Callable[[Http10Connection], None]) -> None:
        super().__init__(engine, closed)
        self._app = app
        self._exchange: Http10Exchange | None = None
        self._last = False
        self.since = asyncio.get_running_loop().time()  # of the silence, while a head is waited for

    def __repr__(self) -> str:
        return f"Http10Connection(buffer={len(self._buffer)}, exchange={self._exchange!r}, tunnel={self._tunnel!r})"

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn: to send a head, or the end of a body nobody wants."""
        return self._tunnel is None and (self._exchange is None or self._exchange.finished)

    # -- what asyncio calls ----------------------------------------------------------------------------------------

    def eof_received(self) -> bool:
        """A client may say that it sends nothing more, and still wait for the answer."""
        if super().eof_received():
            return True
        return self._exchange is not None and self._exchange.body_queue.whole and not self._exchange.finished

    def connection_lost(self, exc: Exception | None) -> None:
        if self._exchange is not None:
            self._exchange.body_queue.abort()
        super().connection_lost(exc)

    # -- what the listener calls -----------------------------------------------------------------------------------

    def close_after_response(self) -> None:
        """Close behind the next answer. What is with the engine is the engine's business."""
        self._last = True

    def refuse(self) -> None:
        """Let a request that runs end, take no other."""
        self._last = True
        if self.waits:
            self._close()

    # -- what an exchange calls ------------------------------------------------------------------------------------

    def ended(self, *, keep: bool) -> None:
        """An answer is out. Where the body still comes in, it is read to its end: to close now would reset the
        connection, and the client could lose the answer over it."""
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
        """Answer a head, or a piece of a body; what is not HTTP/1.0 goes on."""
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
            self.abort()  # more and more behind a request that has not been answered: nobody sends that in good faith

    def _refuse(self, status: int) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(refusal(status))
        self._close()

    def _address(self, name: str) -> tuple[str, int] | None:
        assert self._transport is not None
        found: Any = self._transport.get_extra_info(name)
        return (found[0], found[1]) if isinstance(found, tuple) and len(found) >= 2 else None
