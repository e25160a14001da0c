"""RPC methods ``mercure.*``: workers publish without a token, operators see the subscribers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.plugins.mercure.hub import Hub
from pyroadrunner.plugins.mercure.publisher import Publisher
from pyroadrunner.plugins.mercure.stream import Stream

_LISTED = 1000  # subscribers of one answer


class PublishRequest(msgspec.Struct, kw_only=True):
    """An update.

    Attributes:
        topics: the first is the canonical one.
        private: whether only subscribers get it whose token permits one of the topics.
        id: empty = the hub makes one.
        retry: milliseconds; 0 = not sent.
    """

    topics: list[str]
    data: str = ""
    private: bool = False
    id: str = ""
    type: str = ""
    retry: Annotated[int, msgspec.Meta(ge=0)] = 0


class ListRequest(msgspec.Struct, kw_only=True):
    """Which subscribers to list: all, or those that follow a topic, by any selector."""

    topic: str = ""
    limit: int = _LISTED


class MercureRpc:
    """Handles the calls.

    Args:
        streams: a live view of the open streams.
    """

    def __init__(self, hub: Hub, publisher: Publisher, streams: Mapping[str, Stream]) -> None:
        self._hub = hub
        self._streams = streams
        self._publisher = publisher

    def methods(self) -> Mapping[str, RpcMethod]:
        return {
            "Publish": RpcMethod(self.publish, argument=PublishRequest),
            "Count": RpcMethod(self.count),
            "List": RpcMethod(self.subscribers, argument=ListRequest),
        }

    async def publish(self, request: PublishRequest) -> dict[str, str]:
        """Publish an update; returns its ``id``."""
        identity = await self._publisher.publish(
            request.topics,
            request.data,
            private=request.private,
            identity=request.id,
            kind=request.type,
            retry=request.retry,
        )
        return {"id": identity}

    def count(self, _: bool) -> dict[str, Any]:
        """Numbers of subscribers and selectors here."""
        return {"subscribers": len(self._hub.subscribers), "selectors": self._hub.selectors}

    def subscribers(self, request: ListRequest) -> list[dict[str, Any]]:
        """Subscribers here, up to ``limit``."""
        found = []
        for stream in self._streams.values():
            if request.topic and not self._hub.matcher.any_matches(stream.selectors, [request.topic]):
                continue
            found.append(stream.view())
            if len(found) >= min(request.limit, _LISTED):
                break
        return found
