"""The blocking client of the connections."""

from __future__ import annotations

from types import TracebackType

from pyroadrunner.sdk.rpc import RpcClient
from pyroadrunner.sdk.tcp import messages
from pyroadrunner.sdk.tcp.messages import ConnectionInfo


class Connections:
    """The TCP connections of the running server, reached at any time by their uuid.

    Args:
        rpc: the connection to the server; ``None`` = a new one.

    Every method raises :class:`~pyroadrunner.sdk.rpc.CallFailed` with the server's message, and
    :class:`~pyroadrunner.sdk.rpc.Unreachable`.
    """

    def __init__(self, rpc: RpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else RpcClient()

    def __repr__(self) -> str:
        return f"Connections({self._rpc!r})"

    def __enter__(self) -> Connections:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rpc.close()

    def write(self, uuid: str, data: bytes | str, *, close: bool = False) -> bool:
        """Write to a connection (not in RoadRunner). False: it is unknown or closing, or its client does not read."""
        return bool(self._rpc.call("tcp.Write", messages.write_request(uuid, data, close=close)))

    def close(self, uuid: str) -> None:
        """Close a connection; a worker gets its ``CLOSE`` event."""
        self._rpc.call("tcp.Close", uuid)

    def list(self, server: str = "") -> list[ConnectionInfo]:
        """The connections of a server; without a name, of all (not in RoadRunner)."""
        return messages.connections(self._rpc.call("tcp.List", server))
