"""``http.http10``: the connections of ``http.address``, and the engine."""

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

_TICK = 5.0  # seconds between checks for silent connections
_SILENCE = 30.0  # seconds without a byte while waiting for a head
_LAST_SECONDS = 1.0  # for cancelled requests to unwind

log = Log("http")


class Http10Listener:
    """Serves one ASGI application, including HTTP/1.0 clients.

    Args:
        streams: maximum number of concurrent requests on one HTTP/2 connection.
        connections: maximum number of connections; more are closed immediately. 0 = a quarter of the limit of open
            files: a forwarded connection needs three.
    """

    def __init__(
        self, app: ASGIApp, bound: BoundSockets, *, streams: int, connections: int = 0, tick: float = _TICK
    ) -> None:
        self._app = app
        self._bound = bound
        self._every = tick
        self._limit = (connections or share(2)) // 2
        # Only the owner can access this folder, so no other user can send the engine a client address.
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
        self._full = False  # whether the limit was logged
        self._refusing = False
        self._over = asyncio.Event()

    def __repr__(self) -> str:
        return f"Http10Listener({self._bound.address.short}, connections={len(self._connections)})"

    async def start(self) -> None:
        """Return once connections are accepted.

        Raises:
            ListenError: the engine failed to start.
        """
        await self._engine.start()
        self._servers = await self._bound.serve(self._connected)
        self._bound.take_over()
        self._ticking = asyncio.create_task(self._tick(), name="silent connections")

    async def run(self) -> None:
        """Wait until the listener has stopped."""
        await self._engine.run()

    def close_after_response(self) -> None:
        """Another server has taken over the address: close each connection after its next response."""
        self._engine.close_after_response()
        for connection in self._connections:
            connection.close_after_response()

    async def drain(self) -> None:
        """Stop accepting new TCP handshakes. Return when every open connection has sent a request, or after one
        second."""
        await drain(self._bound)

    def refuse(self) -> None:
        """Accept no more connections; open connections finish their requests."""
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
        """After :meth:`refuse`: wait ``grace`` seconds for the running requests, then cancel them."""
        await resume_inherited(self._bound)
        # Forwarded connections end when the engine has finished.
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
                log.warning("connection limit reached; new connections are closed", limit=self._limit)
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
