"""The clients of the server's WebSocket connections: blocking and asyncio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from pyroadrunner.sdk.rpc import AsyncRpcClient, RpcClient
from pyroadrunner.sdk.websocket.worker import Data, payload


def _publish(topics: str | Sequence[str], data: Data, exclude: str) -> dict[str, Any]:
    names = [topics] if isinstance(topics, str) else list(topics)
    return {"topics": names, "except_connection": exclude, **payload(data)}


class WebSockets:
    """The connections of the running server.

    Args:
        rpc: the connection to its RPC; ``None`` = a new one.

    Every method raises :class:`~pyroadrunner.sdk.rpc.CallFailed` with the server's message, and
    :class:`~pyroadrunner.sdk.rpc.Unreachable`.
    """

    def __init__(self, rpc: RpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else RpcClient()

    def __repr__(self) -> str:
        return f"WebSockets({self._rpc!r})"

    def __enter__(self) -> WebSockets:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        self._rpc.close()

    def publish(self, topics: str | Sequence[str], data: Data, *, exclude: str = "") -> Mapping[str, Any]:
        """Publish a message to all clients that follow one of these topics.

        Args:
            exclude: id of a connection that does not get it.

        Returns:
            ``receivers`` here, ``offset`` and ``epoch``, by topic.
        """
        result: Mapping[str, Any] = self._rpc.call("websocket.Publish", _publish(topics, data, exclude))
        topics_of: Mapping[str, Any] = result["topics"]
        return topics_of

    def send(self, connection: str, data: Data) -> None:
        """Send a message to one connection."""
        self._rpc.call("websocket.Send", {"connection": connection, **payload(data)})

    def send_to_user(self, user: str, data: Data) -> int:
        """Send a message to all connections of a user; return to how many."""
        result = self._rpc.call("websocket.Send", {"user": user, **payload(data)})
        return int(result["receivers"])

    def disconnect(self, connection: str, code: int = 1000, reason: str = "") -> None:
        """Close a connection."""
        request = {"connection": connection, "code": code, "reason": reason}
        self._rpc.call("websocket.Disconnect", request)

    def disconnect_user(self, user: str, code: int = 1000, reason: str = "") -> int:
        """Close all connections of a user; return how many."""
        result = self._rpc.call("websocket.Disconnect", {"user": user, "code": code, "reason": reason})
        return int(result["closed"])

    def presence(self, topic: str) -> Sequence[Mapping[str, Any]]:
        """Who follows a topic: ``user``, ``info`` and ``connections`` of each."""
        found: Sequence[Mapping[str, Any]] = self._rpc.call("websocket.Presence", {"topic": topic})
        return found

    def connections(self, *, topic: str = "", user: str = "") -> Sequence[Mapping[str, Any]]:
        """Open connections, up to 1,000."""
        found: Sequence[Mapping[str, Any]] = self._rpc.call("websocket.List", {"topic": topic, "user": user})
        return found


class AsyncWebSockets:
    """The same with coroutines. Use it from one event loop.

    Args:
        rpc: the connection to its RPC; ``None`` = a new one.
    """

    def __init__(self, rpc: AsyncRpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else AsyncRpcClient()

    def __repr__(self) -> str:
        return f"AsyncWebSockets({self._rpc!r})"

    async def __aenter__(self) -> AsyncWebSockets:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        await self._rpc.close()

    async def publish(self, topics: str | Sequence[str], data: Data, *, exclude: str = "") -> Mapping[str, Any]:
        """Publish a message to all clients that follow one of these topics.

        Args:
            exclude: id of a connection that does not get it.

        Returns:
            ``receivers`` here, ``offset`` and ``epoch``, by topic.
        """
        result: Mapping[str, Any] = await self._rpc.call("websocket.Publish", _publish(topics, data, exclude))
        topics_of: Mapping[str, Any] = result["topics"]
        return topics_of

    async def send(self, connection: str, data: Data) -> None:
        """Send a message to one connection."""
        await self._rpc.call("websocket.Send", {"connection": connection, **payload(data)})

    async def send_to_user(self, user: str, data: Data) -> int:
        """Send a message to all connections of a user; return to how many."""
        result = await self._rpc.call("websocket.Send", {"user": user, **payload(data)})
        return int(result["receivers"])

    async def disconnect(self, connection: str, code: int = 1000, reason: str = "") -> None:
        """Close a connection."""
        request = {"connection": connection, "code": code, "reason": reason}
        await self._rpc.call("websocket.Disconnect", request)

    async def disconnect_user(self, user: str, code: int = 1000, reason: str = "") -> int:
        """Close all connections of a user; return how many."""
        result = await self._rpc.call("websocket.Disconnect", {"user": user, "code": code, "reason": reason})
        return int(result["closed"])

    async def presence(self, topic: str) -> Sequence[Mapping[str, Any]]:
        """Who follows a topic: ``user``, ``info`` and ``connections`` of each."""
        found: Sequence[Mapping[str, Any]] = await self._rpc.call("websocket.Presence", {"topic": topic})
        return found

    async def connections(self, *, topic: str = "", user: str = "") -> Sequence[Mapping[str, Any]]:
        """Open connections, up to 1,000."""
        found: Sequence[Mapping[str, Any]] = await self._rpc.call("websocket.List", {"topic": topic, "user": user})
        return found
