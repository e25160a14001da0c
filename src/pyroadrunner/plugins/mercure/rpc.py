"""RPC methods ``mercure.*``: workers publish without a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.plugins.mercure.hub import Hub
from pyroadrunner.plugins.mercure.publisher import Publisher


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


class MercureRpc:
    """Handles the calls."""

    def __init__(self, hub: Hub, publisher: Publisher) -> None:
        self._hub = hub
        self._publisher = publisher

    def methods(self) -> Mapping[str, RpcMethod]:
        return {
            "Publish": RpcMethod(self.publish, argument=PublishRequest),
            "Count": RpcMethod(self.count),
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
