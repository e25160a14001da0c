"""An endpoint on an address of its own: listens, keeps count of its clients, lets running requests end."""

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
    """HTTP for those who watch.

    Args:
        address: where to listen.
        key: config key the address comes from, for the error.
        answer: from a request to its answer; an exception is a 500 and a line in the log.
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
        self._dropped: set[asyncio.Task[None]] = set()  # about to end
        self._stopped = False
        self._full = False  # the log has been told

    def __repr__(self) -> str:
        return f"AdminServer({self.address}, connections={len(self._connections)})"

    @property
    def address(self) -> Address:
        """Where it listens; port 0 is replaced by the one taken."""
        return self._listening.address if self._listening is not None else self._address

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: the address can't be had.
        """
        self._listening = listen(self._address, self._key, late=True)
        if takeover.taking_over():
            # Or those who watch would hear from us, while we start, that nothing is ready.
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
        """Refuse new clients, let running requests end within ``grace`` seconds, close. Idempotent."""
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
        """Close the oldest connection without a request: those that never had one first, then the one idle longest. Its
        client may ask again on a new one (RFC 9112, section 9.3.1)."""
        silent = [(task, one) for task, one in self._connections.items() if not one.answering]
        if not self._full:
            what = "the oldest idle ones are closed" if silent else "no more are taken until some leave"
            self._log.warning(f"too many clients: {what}", limit=MAX_CONNECTIONS)
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
