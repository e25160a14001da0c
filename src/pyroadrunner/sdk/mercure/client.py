"""The clients of the server's Mercure hub: blocking and asyncio."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from pyroadrunner.sdk.rpc import AsyncRpcClient, RpcClient


def _request(
    topics: str | Sequence[str], data: str, private: bool, update_id: str, event: str, retry: int
) -> dict[str, Any]:
    names = [topics] if isinstance(topics, str) else list(topics)
    return {"topics": names, "data": data, "private": private, "id": update_id, "type": event, "retry": retry}


class Mercure:
    """The hub of the running server.

    Args:
        rpc: the connection to its RPC; ``None`` = a new one.

    Every method raises :class:`~pyroadrunner.sdk.rpc.CallFailed` with the server's message, and
    :class:`~pyroadrunner.sdk.rpc.Unreachable`.
    """

    def __init__(self, rpc: RpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else RpcClient()

    def __repr__(self) -> str:
        return f"Mercure({self._rpc!r})"

    def __enter__(self) -> Mercure:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        self._rpc.close()

    def publish(
        self,
        topics: str | Sequence[str],
        data: str = "",
        *,
        private: bool = False,
        update_id: str = "",
        event: str = "",
        retry: int = 0,
    ) -> str:
        """Publish an update.

        Args:
            topics: the first is the canonical one.
            private: only for subscribers whose token permits one of the topics.
            update_id: empty = the hub makes one.
            event: name of the event (``type``).
            retry: milliseconds before a client connects again; 0 = not sent.

        Returns:
            The id of the update.
        """
        result = self._rpc.call("mercure.Publish", _request(topics, data, private, update_id, event, retry))
        return str(result["id"])


class AsyncMercure:
    """The same with coroutines. Use it from one event loop.

    Args:
        rpc: the connection to its RPC; ``None`` = a new one.
    """

    def __init__(self, rpc: AsyncRpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else AsyncRpcClient()

    def __repr__(self) -> str:
        return f"AsyncMercure({self._rpc!r})"

    async def __aenter__(self) -> AsyncMercure:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        await self._rpc.close()

    async def publish(
        self,
        topics: str | Sequence[str],
        data: str = "",
        *,
        private: bool = False,
        update_id: str = "",
        event: str = "",
        retry: int = 0,
    ) -> str:
        """Publish an update; see :meth:`Mercure.publish`."""
        result = await self._rpc.call("mercure.Publish", _request(topics, data, private, update_id, event, retry))
        return str(result["id"])
