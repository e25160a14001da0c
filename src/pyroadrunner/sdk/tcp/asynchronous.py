"""The asyncio client of the connections."""

from __future__ import annotations

from types import TracebackType

from pyroadrunner.sdk.rpc import AsyncRpcClient
from pyroadrunner.sdk.tcp import messages
from pyroadrunner.sdk.tcp.messages import ConnectionInfo


class AsyncConnections:
    """The TCP connections of the running server.

    Args:
        rpc: the connection to the server; ``None`` = a new one.

    Like :class:`~pyroadrunner.sdk.tcp.Connections`, with coroutines. Use it from one event loop.
    """

    def __init__(self, rpc: AsyncRpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else AsyncRpcClient()

    def __repr__(self) -> str:
        return f"AsyncConnections({self._rpc!r})"

    async def __aenter__(self) -> AsyncConnections:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._rpc.close()

    async def write(self, uuid: str, data: bytes | str, *, close: bool = False) -> bool:
        """Write to a connection (not in RoadRunner). False: it is unknown or closing, or its client does not read."""
        return bool(await self._rpc.call("tcp.Write", messages.write_request(uuid, data, close=close)))

    async def close(self, uuid: str) -> None:
        """Close a connection; a worker gets its ``CLOSE`` event."""
        await self._rpc.call("tcp.Close", uuid)

    async def list(self, server: str = "") -> list[ConnectionInfo]:
        """The connections of a server; without a name, of all (not in RoadRunner)."""
        return messages.connections(await self._rpc.call("tcp.List", server))
