"""One memcached server, connected to when it is asked first, and anew when the connection was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pyroadrunner.plugins.kv.drivers.memcached_protocol import Reply, ReplyReader
from pyroadrunner.remote.connection import PipelinedConnection, connect


class MemcachedServer:
    """A server.

    Args:
        timeout: seconds for an answer, and for connecting.
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
        """The answers to commands that are sent together.

        Raises:
            StoreError: it can't be reached, or does not answer.
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
            if self._connection is None or self._connection.closed:  # else another call was quicker
                self._connection = await connect(self._host, self._port, ReplyReader(), self._timeout)
            return self._connection
