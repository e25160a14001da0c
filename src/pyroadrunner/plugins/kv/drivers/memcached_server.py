"""The connection to one memcached server: opened by the first command, and again after a loss."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pyroadrunner.plugins.kv.drivers.memcached_protocol import Reply, ReplyReader
from pyroadrunner.remote.connection import PipelinedConnection, connect


class MemcachedServer:
    """One memcached server.

    Args:
        timeout: seconds for a reply, and for connecting.
    """

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self.address = f"{host}:{port}"
        self._host = host
        self._port = port
        self._timeout = timeout
        self._connection: PipelinedConnection | None = None
        self._connecting = asyncio.Lock()

    def __repr__(self) -> str:
        return f"MemcachedServer({self.address})"

    async def ask(self, question: bytes, answers: int = 1) -> Sequence[Reply]:
        """Send commands together and return their replies.

        Raises:
            StoreError: the server can't be reached, or does not reply.
        """
        if not answers:
            return []
        connection = self._connection
        if connection is None or connection.closed:
            connection = await self._connect()
        return await connection.ask(question, answers, self._timeout)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.abort("the storage is closed")

    async def _connect(self) -> PipelinedConnection:
        async with self._connecting:
            if self._connection is None or self._connection.closed:  # else another call has connected meanwhile
                self._connection = await connect(self._host, self._port, ReplyReader(), self._timeout)
            return self._connection
