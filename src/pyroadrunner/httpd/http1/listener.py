"""HTTP/1.0 and HTTP/1.1 on one address."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.httpd.http1.connection import Connection
from pyroadrunner.httpd.http1.refusals import Refusal, Refusals
from pyroadrunner.httpd.http1.whole import ServeWhole
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.log import Log
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.descriptors import share
from pyroadrunner.net.drain import resume_inherited, wait_for_requests

_TICK = 1.0  # seconds between two checks of deadlines
_UNWIND = 1.0  # seconds for cancelled requests to unwind
_ROOM = 16  # when the limit is reached, one of so many idle connections is closed

_HTTP = Log("http")


class Http1Listener:
    """Serves one ASGI application on the sockets of one address.

    Args:
        app: if it has a method ``serve_whole`` (see ``whole.py``), requests whose body has arrived are first offered to
            that.
        log: the channel of the plugin that owns the listener.
        refusals: counts the refused requests; ``None`` = its own.
    """

    def __init__(
        self,
        app: ASGIApp,
        bound: BoundSockets,
        limits: Limits | None = None,
        *,
        log: Log = _HTTP,
        refusals: Refusals | None = None,
    ) -> None:
        self.app = app
        self.serve_whole: ServeWhole | None = getattr(app, "serve_whole", None)
        self.limits = limits or Limits()
        self.log = log
        self.refusals = refusals or Refusals(log)
        self.loop = asyncio.get_running_loop()
        self.retired = False
        self._bound = bound
        self._max_connections = self.limits.max_connections or share(2)
        self._connections: set[Connection] = set()
        self._servers: list[asyncio.Server] = []
        self.refusing = False
        self._ended = asyncio.Event()
        self._sweep: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"Http1Listener({self._bound.address.short}, connections={len(self._connections)})"

    @property
    def done(self) -> bool:
        """Whether its last connection has closed, after :meth:`refuse`."""
        return self._ended.is_set()

    async def start(self) -> None:
        """Return once connections are accepted."""
        self._bound.listen()
        self._servers = await self._bound.serve(self._accept)
        self._bound.take_over()
        self._sweep = self.loop.call_later(_TICK, self._tick)
        self.log.debug("http server was started", address=self._bound.address.short)

    async def run(self) -> None:
        """Wait until it has stopped."""
        await self._ended.wait()

    def close_after_response(self) -> None:
        """Close each connection after its next response, since another server has taken over the address.

        Closing an idle connection may lose a request in flight; announcing the close in a response does not.
        """
        self.retired = True

    async def drain(self) -> None:
        """Stop accepting new TCP handshakes. Return when every open connection has sent a request, or after one
        second."""
        await wait_for_requests(self._bound, self._is_silent)

    def refuse(self) -> None:
        """Accept no more connections; open connections finish their requests."""
        self.refusing = self.retired = True
        for server in self._servers:
            server.close()
        self._bound.refuse()
        for connection in list(self._connections):
            connection.wind_down()
        self._check_ended()

    async def finish(self, grace: float) -> None:
        """After :meth:`refuse`: wait ``grace`` seconds for the running requests, then cancel them. Returns at most one
        second later, whatever the clients do."""
        await resume_inherited(self._bound)
        if not await self._ends_within(grace):
            running = [connection for connection in self._connections if connection.busy]
            if running:
                self.log.warning("grace period over; cancelling the remaining requests", requests=len(running))
            for connection in running:
                connection.stop()
            await self._ends_within(_UNWIND)
            for connection in list(self._connections):
                connection.abort()
            await self._ends_within(_UNWIND)
        if self._sweep is not None:
            self._sweep.cancel()
        self._bound.close()

    # -- for its connections -----------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        """A client has connected."""
        self._connections.add(connection)
        if len(self._connections) > self._max_connections and not self._make_room(connection):
            connection.refuse(Refusal(503, "connections", "all connections are in use"))

    def closed(self, connection: Connection) -> None:
        """A connection has closed."""
        self._connections.discard(connection)
        if self.refusing:
            self._check_ended()

    # -- private -----------------------------------------------------------------------------------------------------

    def _accept(self) -> Connection:
        return Connection(self)

    def _make_room(self, new: Connection) -> bool:
        """Close idle connections, except a new one."""
        found = ((one.idleness, one) for one in self._connections if one is not new)
        idle = sorted(((rank, one) for rank, one in found if rank is not None), key=lambda pair: pair[0])
        for _, one in idle[: max(1, len(idle) // _ROOM)]:
            self.refusals.add(Refusal(0, "idle", "connection limit reached; an idle connection was closed"), one.client)
            one.abort()
        return bool(idle)

    def _is_silent(self) -> bool:
        return any(connection.requests == 0 for connection in self._connections)

    def _tick(self) -> None:
        now = self.loop.time()
        self._sweep = self.loop.call_at(now + _TICK, self._tick)
        limit = self.limits.write_timeout
        for connection in list(self._connections):
            if 0.0 < connection.deadline <= now:
                connection.expire()
            connection.check_progress(now, limit)

    def _check_ended(self) -> None:
        if not self._connections:
            self._ended.set()

    async def _ends_within(self, seconds: float) -> bool:
        if not self._ended.is_set():
            with suppress(TimeoutError):
                # Not asyncio.timeout: with Python 3.11 it raises CancelledError in a task that is being cancelled.
                await asyncio.wait_for(self._ended.wait(), seconds)
        return self._ended.is_set()
