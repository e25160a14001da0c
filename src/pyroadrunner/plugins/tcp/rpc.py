"""The methods of ``tcp``, by which workers and operators reach a connection outside its events."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.plugins.tcp.connections import Connections


class WriteRequest(msgspec.Struct, kw_only=True):
    """The argument of ``tcp.Write``.

    Attributes:
        uuid: of the connection.
        data: base64 in JSON.
        close: close the connection after the bytes.
    """

    uuid: str = ""
    data: bytes = b""
    close: bool = False


class ConnectionView(msgspec.Struct, kw_only=True):
    """One connection, for operators.

    Attributes:
        state: ``open``, ``half-closed`` by the client, or ``closing``.
        age: seconds.
        received, sent: bytes.
        events: that workers have got.
    """

    uuid: str
    server: str
    remote_addr: str
    state: str
    age: float
    received: int
    sent: int
    events: int


class TcpRpc:
    """Handles the calls."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def methods(self) -> Mapping[str, RpcMethod]:
        return {
            "Close": RpcMethod(self.close, argument=str),
            # Not in RoadRunner.
            "Write": RpcMethod(self.write, argument=WriteRequest),
            "List": RpcMethod(self.list, argument=str),
        }

    def close(self, uuid: str) -> bool:
        """Close a connection; true also for an unknown one, as in RoadRunner."""
        connection = self._connections.find(uuid)
        if connection is not None:
            connection.close()
        return True

    def write(self, request: WriteRequest) -> bool:
        """Write to a connection at any time. False: it is unknown or closing, or its client does not read."""
        connection = self._connections.find(request.uuid)
        if connection is None or not connection.write(request.data):
            return False
        if request.close:
            connection.close()
        return True

    def list(self, server: str) -> list[ConnectionView]:
        """The connections of a server; without a name, of all."""
        now = self._connections.loop.time()
        return [
            ConnectionView(
                uuid=one.uuid,
                server=one.server,
                remote_addr=one.remote_addr,
                state=one.state,
                age=round(now - one.opened, 3),
                received=one.received,
                sent=one.sent,
                events=one.events,
            )
            for one in self._connections
            if server in ("", one.server)
        ]
