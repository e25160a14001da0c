"""``http.http10``: all connections of ``http.address``, and the engine behind them."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from typing import cast

from pyroadrunner import temporary_files
from pyroadrunner.asgi import ASGIApp
from pyroadrunner.httpd.engine import HttpListener
from pyroadrunner.log import Log
from pyroadrunner.net.address import UnixAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.descriptors import share
from pyroadrunner.net.drain import drain, resume_inherited
from pyroadrunner.plugins.http.protocols.forwarding.upstream import UnixUpstream
from pyroadrunner.plugins.http.protocols.http10.connection import Http10Connection

_TICK = 5.0  # seconds between two looks for those that are silent
_SILENCE = 30.0  # seconds without a byte while a head is waited for
_LAST_SECONDS = 1.0  # for cancelled requests to unwind

log = Log("http")


class Http10Listener:
    """Serves one ASGI application in HTTP/1.0 too.

    Args:
        streams: of one HTTP/2 connection at a time.
        connections: at a time; one more is closed at once. 0 = a quarter of the files that may be open: one that is
            passed on takes three.
    """

    def __init__(
        self, app: ASGIApp, bound: BoundSockets, *, streams: int, connections: int = 0, tick: float = _TICK
    ) -> None:
        self._app = app
        self._bound = bound
        self._every = tick
        self._limit = (connections or share(2)) // 2
        # Only its owner gets into this folder, so nobody else can tell the engine who a client is.
        self._folder = tempfile.mkdtemp(prefix="rr-")
        temporary_files.add(self._folder)
        path = f"{self._folder}/engine.sock"
        self._way = UnixUpstream(path)
        self._engine = HttpListener(
            app,
            BoundSockets(UnixAddress(path), mode=0o600),
            streams=streams,
            connections=self._limit,
            behind_proxy=True,
        )
        self._servers: list[asyncio.Server] = []
        self._connections: set[Http10Connection] = set()
        self._ticking: asyncio.Task[None] | None = None
        self._full = False  # the log has been told
        self._refusing = False
        self._over = asyncio.Event()

    def __repr__(self) -> str:
        return f"Http10Listener({self._bound.address.short}, connections={len(self._connections)})"

    async def start(self) -> None:
        """Return once connections are accepted.

        Raises:
            ListenError: the engine does not come up.
        """
        await self._engine.start()
        self._servers = await self._bound.serve(self._connected)
        self._bound.take_over()
        self._ticking = asyncio.create_task(self._tick(), name="silent connections")

    async def run(self) -> None:
        """Wait until it has stopped."""
        await self._engine.run()

    def close_after_response(self) -> None:
        """Another server has taken over the address: close each connection behind its next answer."""
        self._engine.close_after_response()
        for connection in self._connections:
            connection.close_after_response()

    async def drain(self) -> None:
        """Let nobody else in; return when those who are in have asked for something, after a second at most."""
        await drain(self._bound)

    def refuse(self) -> None:
        """Accept no more connections; those that are open finish what runs on them."""
        self._refusing = True
        if self._ticking is not None:
            self._ticking.cancel()
        for server in self._servers:
            server.close()
        self._bound.refuse()
        self._engine.refuse()
        for connection in list(self._connections):
            connection.refuse()
        self._check_finished()

    async def finish(self, grace: float) -> None:
        """After :meth:`refuse`: wait ``grace`` seconds for the running requests, then cut them off."""
        await resume_inherited(self._bound)
        # Connections that were passed on are over when the engine is done with them.
        await asyncio.gather(self._engine.finish(grace), self._finish(grace))
        self._bound.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        temporary_files.discard(self._folder)

    async def _finish(self, grace: float) -> None:
        if await self._ends_within(grace):
            return
        for connection in list(self._connections):
            connection.abort_requests()
        await self._ends_within(_LAST_SECONDS)

    async def _ends_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return False
        return True

    def _connected(self) -> asyncio.Protocol:
        if len(self._connections) >= self._limit:
            if not self._full:
                log.warning("too many connections: more are closed at once", limit=self._limit)
                self._full = True
            return _Refused()
        connection = Http10Connection(self._app, self._way, self._closed)
        self._connections.add(connection)
        return connection

    def _closed(self, connection: Http10Connection) -> None:
        self._connections.discard(connection)
        self._full = self._full and len(self._connections) >= self._limit * 0.9
        self._check_finished()

    def _check_finished(self) -> None:
        if self._refusing and not self._connections:
            self._over.set()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._every)
            for connection in list(self._connections):
                if connection.waits and connection.since + _SILENCE <= loop.time():
                    connection.abort()


class _Refused(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()
