"""The asyncio client of Centrifugo's API."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from pyroadrunner.sdk.centrifugo import messages
from pyroadrunner.sdk.rpc import AsyncRpcClient


class AsyncCentrifugo:
    """The API of Centrifugo, through the running server (its section ``centrifuge``).

    Args:
        rpc: the connection; ``None`` = a new one.

    Like :class:`~pyroadrunner.sdk.centrifugo.Centrifugo`, with coroutines. Use it from one event loop.
    """

    def __init__(self, rpc: AsyncRpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else AsyncRpcClient()

    def __repr__(self) -> str:
        return f"AsyncCentrifugo({self._rpc!r})"

    async def __aenter__(self) -> AsyncCentrifugo:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        await self._rpc.close()

    async def publish(self, channel: str, data: Any, **options: Any) -> dict[str, Any]:
        """Publish into a channel; return the position in its history (``offset``, ``epoch``), if it has one."""
        return await self.call("Publish", channel=channel, data=data, **options)

    async def broadcast(self, channels: Sequence[str], data: Any, **options: Any) -> list[dict[str, Any]]:
        """Publish the same into several channels; return a ``result`` or an ``error`` for each."""
        found = (await self.call("Broadcast", channels=list(channels), data=data, **options)).get("responses", [])
        return list(found)

    async def subscribe(self, user: str, channel: str, **options: Any) -> None:
        """Subscribe the user's connections to a channel."""
        await self.call("Subscribe", user=user, channel=channel, **options)

    async def unsubscribe(self, user: str, channel: str, **options: Any) -> None:
        """End the user's subscriptions to a channel."""
        await self.call("Unsubscribe", user=user, channel=channel, **options)

    async def disconnect(self, user: str, **options: Any) -> None:
        """Disconnect the user."""
        await self.call("Disconnect", user=user, **options)

    async def refresh(self, user: str, **options: Any) -> None:
        """Change when the user's connections expire."""
        await self.call("Refresh", user=user, **options)

    async def presence(self, channel: str) -> dict[str, dict[str, Any]]:
        """The clients of a channel, by their ids."""
        return dict((await self.call("Presence", channel=channel)).get("presence", {}))

    async def presence_stats(self, channel: str) -> dict[str, int]:
        """``num_clients`` and ``num_users`` of a channel."""
        return {"num_clients": 0, "num_users": 0, **(await self.call("PresenceStats", channel=channel))}

    async def history(self, channel: str, **options: Any) -> dict[str, Any]:
        """``publications``, ``offset`` and ``epoch`` of a channel."""
        return {"publications": [], **(await self.call("History", channel=channel, **options))}

    async def remove_history(self, channel: str) -> None:
        """Remove the history of a channel."""
        await self.call("HistoryRemove", channel=channel)

    async def channels(self, pattern: str = "") -> dict[str, dict[str, Any]]:
        """The active channels, by name."""
        return dict((await self.call("Channels", pattern=pattern)).get("channels", {}))

    async def nodes(self) -> list[dict[str, Any]]:
        """The nodes of Centrifugo."""
        return list((await self.call("Info")).get("nodes", []))

    async def call(self, method: str, /, **fields: Any) -> dict[str, Any]:
        """Any method of the API; return the fields of its result, without the empty ones."""
        return messages.result(await self._rpc.call(f"centrifuge.{method}", messages.request(fields)))
