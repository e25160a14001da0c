"""``http.fcgi``: the listener and its connections."""

from __future__ import annotations

import asyncio

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.log import Log
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.drain import drain, resume_inherited
from pyroadrunner.plugins.http.protocols.fastcgi.connection import FastCgiConnection

_LAST_SECONDS = 1.0  # for cancelled requests to unwind

log = Log("http")


class FastCgiListener:
    """Serves one ASGI application over FastCGI."""

    def __init__(self, app: ASGIApp, bound: BoundSockets) -> None:
        self._app = app
        self._bound = bound
        self._servers: list[asyncio.Server] = []
        self._connections: set[FastCgiConnection] = set()
        self._refusing = False
        self._over = asyncio.Event()

    def __repr__(self) -> str:
        return f"FastCgiListener({self._bound.address.short}, connections={len(self._connections)})"

    async def start(self) -> None:
        """Return once connections are accepted."""
        self._servers = await self._bound.serve(self._connected)
        self._bound.take_over()
        log.debug("fcgi server was started", address=self._bound.address.short)

    async def run(self) -> None:
        """Wait until the listener has stopped."""
        await self._over.wait()

    def close_after_response(self) -> None:
        """Do nothing: FastCGI can't announce the end of a connection; :meth:`refuse` closes idle connections."""

    async def drain(self) -> None:
        """Stop accepting new TCP handshakes. Return when every open connection has sent a request, or after one
        second."""
        await drain(self._bound)

    def refuse(self) -> None:
        """Accept no more connections; open connections finish their requests."""
        self._refusing = True
        for server in self._servers:
            server.close()
        self._bound.refuse()
        for connection in list(self._connections):
            connection.close_after_response()
        self._check_finished()

    async def finish(self, grace: float) -> None:
        """After :meth:`refuse`: wait ``grace`` seconds for the running requests, then cancel them."""
        await resume_inherited(self._bound)
        if not await self._ends_within(grace):
            log.warning("grace period over; cancelling the remaining requests", connections=len(self._connections))
            for connection in list(self._connections):
                connection.abort_requests()
            await self._ends_within(_LAST_SECONDS)
        self._over.set()
        self._bound.close()

    async def _ends_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return False
        return True

    def _connected(self) -> FastCgiConnection:
        connection = FastCgiConnection(self._app, self._closed)
        self._connections.add(connection)
        return connection

    def _closed(self, connection: FastCgiConnection) -> None:
        self._connections.discard(connection)
        self._check_finished()

    def _check_finished(self) -> None:
        if self._refusing and not self._connections:
            self._over.set()
