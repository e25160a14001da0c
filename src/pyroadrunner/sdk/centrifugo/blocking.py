"""The blocking client of Centrifugo's API."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from pyroadrunner.sdk.centrifugo import messages
from pyroadrunner.sdk.rpc import RpcClient


class Centrifugo:
    """The API of Centrifugo, through the running server (its section ``centrifuge``).

    Args:
        rpc: the connection; ``None`` = a new one.

    Data in bytes is sent as it is, other data as JSON. Options are fields of Centrifugo's requests. Every method raises
    :class:`CentrifugoError` if Centrifugo answers with an error, :class:`~pyroadrunner.sdk.rpc.CallFailed` if it can't
    be reached or refuses the call, and :class:`~pyroadrunner.sdk.rpc.Unreachable`.
    """

    def __init__(self, rpc: RpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else RpcClient()

    def __repr__(self) -> str:
        return f"Centrifugo({self._rpc!r})"

    def __enter__(self) -> Centrifugo:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        self._rpc.close()

    def publish(self, channel: str, data: Any, **options: Any) -> dict[str, Any]:
        """Publish into a channel; return the position in its history (``offset``, ``epoch``), if it has one."""
        return self.call("Publish", channel=channel, data=data, **options)

    def broadcast(self, channels: Sequence[str], data: Any, **options: Any) -> list[dict[str, Any]]:
        """Publish the same into several channels; return a ``result`` or an ``error`` for each."""
        found = self.call("Broadcast", channels=list(channels), data=data, **options).get("responses", [])
        return list(found)

    def subscribe(self, user: str, channel: str, **options: Any) -> None:
        """Subscribe the user's connections to a channel."""
        self.call("Subscribe", user=user, channel=channel, **options)

    def unsubscribe(self, user: str, channel: str, **options: Any) -> None:
        """End the user's subscriptions to a channel."""
        self.call("Unsubscribe", user=user, channel=channel, **options)

    def disconnect(self, user: str, **options: Any) -> None:
        """Disconnect the user."""
        self.call("Disconnect", user=user, **options)

    def refresh(self, user: str, **options: Any) -> None:
        """Change when the user's connections expire."""
        self.call("Refresh", user=user, **options)

    def presence(self, channel: str) -> dict[str, dict[str, Any]]:
        """The clients of a channel, by their ids."""
        return dict(self.call("Presence", channel=channel).get("presence", {}))

    def presence_stats(self, channel: str) -> dict[str, int]:
        """``num_clients`` and ``num_users`` of a channel."""
        return {"num_clients": 0, "num_users": 0, **self.call("PresenceStats", channel=channel)}

    def history(self, channel: str, **options: Any) -> dict[str, Any]:
        """``publications``, ``offset`` and ``epoch`` of a channel."""
        return {"publications": [], **self.call("History", channel=channel, **options)}

    def remove_history(self, channel: str) -> None:
        """Remove the history of a channel."""
        self.call("HistoryRemove", channel=channel)

    def channels(self, pattern: str = "") -> dict[str, dict[str, Any]]:
        """The active channels, by name."""
        return dict(self.call("Channels", pattern=pattern).get("channels", {}))

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes of Centrifugo."""
        return list(self.call("Info").get("nodes", []))

    def call(self, method: str, /, **fields: Any) -> dict[str, Any]:
        """Any method of the API; return the fields of its result, without the empty ones."""
        return messages.result(self._rpc.call(f"centrifuge.{method}", messages.request(fields)))
