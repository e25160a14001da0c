"""An HTTP server for an endpoint with its own address: listens, limits its connections, finishes running requests."""

from __future__ import annotations

import asyncio
import socket

from pyroadrunner.admin.connection import MAX_HEAD, AdminConnection, Handler, Timeouts
from pyroadrunner.log import Log
from pyroadrunner.net import takeover
from pyroadrunner.net.address import Address
from pyroadrunner.net.bound_sockets import BACKLOG, BoundSockets, listen

MAX_CONNECTIONS = 256


class AdminServer:
    """An HTTP server for monitoring.

    Args:
        address: the address to listen on.
        key: config key of the address, for error messages.
        answer: turns a request into its response; an exception is logged and becomes a 500.
        log: the owner's channel.
    """

    def __init__(self, address: Address, key: str, answer: Handler, log: Log, timeouts: Timeouts | None = None) -> None:
        self._address = address
        self._key = key
        self._answer = answer
        self._log = log
        self._timeouts = timeouts or Timeouts()
        self._listening: BoundSockets | None = None
        self._servers: list[asyncio.Server] = []
        self._connections: dict[asyncio.Task[None], AdminConnection] = {}
        self._dropped: set[asyncio.Task[None]] = set()  # tasks of closed connections that have not ended yet
        self._stopped = False
        self._full = False  # the limit was reached and logged

    def __repr__(self) -> str:
        return f"AdminServer({self.address}, connections={len(self._connections)})"

    @property
    def address(self) -> Address:
        """The address it listens on; port 0 is replaced by the port in use."""
        return self._listening.address if self._listening is not None else self._address

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: it can't listen on the address.
        """
        self._listening = listen(self._address, self._key, late=True)
        if takeover.taking_over():
            # Opened now, it would report "not ready" to probes while the old server still serves.
            takeover.on_ready(self._open)
        else:
            await self._open()

    async def _open(self) -> None:
        if self._listening is None or self._stopped:
            return
        for sock in self._listening.sockets:
            start = asyncio.start_unix_server if sock.family == socket.AF_UNIX else asyncio.start_server
            self._servers.append(await start(self._accept, sock=sock, backlog=BACKLOG, limit=MAX_HEAD))
        self._listening.take_over()

    async def stop(self, grace: float) -> None:
        """Refuse new connections, let running requests end within ``grace`` seconds, close. Idempotent."""
        self._stopped = True
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._listening is not None:
            self._listening.close()
        for connection in self._connections.values():
            connection.end()
        running = [*self._connections, *self._dropped]
        if running:
            _, late = await asyncio.wait(running, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._servers or (len(self._connections) >= MAX_CONNECTIONS and not self._make_room()):
            writer.transport.abort()
            return
        connection = AdminConnection(reader, writer, self._answer, self._timeouts, self._log)
        task = asyncio.get_running_loop().create_task(connection.serve())
        self._connections[task] = connection
        task.add_done_callback(self._on_closed)

    def _make_room(self) -> bool:
        """Close the oldest connection without a request: first those that never had one, then the one idle longest. Its
        client may retry on a new connection (RFC 9112, section 9.3.1). Return whether a connection was closed."""
        silent = [(task, one) for task, one in self._connections.items() if not one.answering]
        if not self._full:
            what = "the oldest idle connections are closed" if silent else "new connections are refused"
            self._log.warning(f"connection limit reached; {what}", limit=MAX_CONNECTIONS)
            self._full = True
        if not silent:
            return False
        task, oldest = min(silent, key=lambda pair: (pair[1].asked, pair[1].since))
        oldest.abort()
        del self._connections[task]
        self._dropped.add(task)
        return True

    def _on_closed(self, task: asyncio.Task[None]) -> None:
        self._connections.pop(task, None)
        self._dropped.discard(task)
        self._full = self._full and len(self._connections) >= MAX_CONNECTIONS * 0.9
