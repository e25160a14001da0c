"""Listens for RPC clients, limits their number, and lets running calls finish before it closes."""

from __future__ import annotations

import asyncio
import socket

from pyroadrunner.log import Log
from pyroadrunner.net.address import Address
from pyroadrunner.net.bound_sockets import BACKLOG, BoundSockets, listen
from pyroadrunner.net.descriptors import share
from pyroadrunner.plugins.rpc.connection import RpcConnection
from pyroadrunner.plugins.rpc.methods import Methods

_FLUSH = 1.0  # seconds for clients to read their last replies

log = Log("rpc")


class RpcServer:
    """RPC on one address.

    Args:
        address: where to listen.
        methods: the methods that clients can call.
        max_connections: maximum number of clients. A further one replaces the oldest that has not made a call yet, so
            that idle connections do not block new clients; if all have made calls, the new one is closed. ``None`` =
            half of the process's descriptors, so that RPC leaves enough for serving requests.
    """

    def __init__(self, address: Address, methods: Methods, *, max_connections: int | None = None) -> None:
        self._address = address
        self._methods = methods
        self._max_connections = max_connections or share(2)
        self._connections: dict[RpcConnection, None] = {}  # in the order of connecting
        self._listening: BoundSockets | None = None
        self._servers: list[asyncio.Server] = []
        self._closing = False
        self._full = False  # the warning has been logged
        self._empty = asyncio.Event()
        self._empty.set()

    def __repr__(self) -> str:
        return f"RpcServer({self.address}, connections={len(self._connections)})"

    @property
    def address(self) -> Address:
        """The address; port 0 is replaced by the actual port."""
        return self._listening.address if self._listening is not None else self._address

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: the address is not available.
        """
        loop = asyncio.get_running_loop()
        self._listening = listen(self._address, "rpc.listen")
        for sock in self._listening.sockets:
            create_server = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
            self._servers.append(await create_server(self._accept, sock=sock, backlog=BACKLOG))

    async def stop(self, grace: float) -> None:
        """Refuse new clients and calls, let running calls finish within ``grace`` seconds, then close. Idempotent."""
        self._closing = True
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._listening is not None:
            self._listening.close()
        for connection in list(self._connections):
            connection.end()
        tasks = {task for connection in self._connections for task in connection.tasks.values()}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                log.warning("grace period over; cancelled running calls", count=len(late), grace=grace)
                await asyncio.wait(late, timeout=_FLUSH)
        try:
            async with asyncio.timeout(_FLUSH):
                await self._empty.wait()
        except TimeoutError:  # a client does not read
            for connection in list(self._connections):
                connection.abort()

    def _accept(self) -> RpcConnection:
        return RpcConnection(self._methods, self)

    # Owner

    def opened(self, connection: RpcConnection) -> None:
        if self._closing or (len(self._connections) >= self._max_connections and not self._evict_oldest()):
            connection.abort()
            return
        self._connections[connection] = None
        self._empty.clear()

    def _evict_oldest(self) -> bool:
        silent = next((one for one in self._connections if not one.called), None)
        if not self._full:
            what = "closing the oldest ones without a call" if silent else "new connections are refused"
            log.warning(f"connection limit reached; {what}", limit=self._max_connections)
            self._full = True
        if silent is not None:
            silent.abort()
            self._connections.pop(silent, None)
        return silent is not None

    def closed(self, connection: RpcConnection) -> None:
        self._connections.pop(connection, None)
        self._full = self._full and len(self._connections) >= self._max_connections * 0.9
        if not self._connections:
            self._empty.set()
