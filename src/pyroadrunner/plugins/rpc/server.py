"""Everybody who calls: listens, keeps count of the connections, lets running calls end before it closes."""

from __future__ import annotations

import asyncio
import socket

from pyroadrunner.log import Log
from pyroadrunner.net.address import Address
from pyroadrunner.net.bound_sockets import BACKLOG, BoundSockets, listen
from pyroadrunner.net.descriptors import share
from pyroadrunner.plugins.rpc.connection import RpcConnection
from pyroadrunner.plugins.rpc.methods import Methods

_FLUSH = 1.0  # seconds for clients to read their last answers

log = Log("rpc")


class RpcServer:
    """RPC on one address.

    Args:
        address: where to listen.
        methods: what can be called.
        max_connections: clients at a time. One more is let in for the oldest that has not made a call yet, so that a
            crowd that only connects keeps nobody out; where all have, it is closed at once. ``None`` = half of the
            descriptors this process may have: RPC must not take them from those who serve requests.
    """

    def __init__(self, address: Address, methods: Methods, *, max_connections: int | None = None) -> None:
        self._address = address
        self._methods = methods
        self._max_connections = max_connections or share(2)
        self._connections: dict[RpcConnection, None] = {}  # in the order in which they came
        self._listening: BoundSockets | None = None
        self._servers: list[asyncio.Server] = []
        self._closing = False
        self._full = False  # the log has been told
        self._empty = asyncio.Event()
        self._empty.set()

    def __repr__(self) -> str:
        return f"RpcServer({self.address}, connections={len(self._connections)})"

    @property
    def address(self) -> Address:
        """Where it listens; port 0 is replaced by the one taken."""
        return self._listening.address if self._listening is not None else self._address

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: the address can't be had.
        """
        loop = asyncio.get_running_loop()
        self._listening = listen(self._address, "rpc.listen")
        for sock in self._listening.sockets:
            create_server = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
            self._servers.append(await create_server(self._accept, sock=sock, backlog=BACKLOG))

    async def stop(self, grace: float) -> None:
        """Refuse new clients and calls, let running calls end within ``grace`` seconds, close. Idempotent."""
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
                log.warning("calls were cut short", count=len(late), grace=grace)
                await asyncio.wait(late, timeout=_FLUSH)
        try:
            async with asyncio.timeout(_FLUSH):
                await self._empty.wait()
        except TimeoutError:  # somebody does not read
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
            what = "the oldest that have not called yet are closed" if silent else "no more are taken until some leave"
            log.warning(f"too many clients: {what}", limit=self._max_connections)
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
