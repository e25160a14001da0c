"""Lifecycle of the plugin ``broadcast``. It needs no extra: a config may have this section alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyroadrunner.contracts import HasRpc, Plugin, PublishesToTopics, RpcMethod
from pyroadrunner.plugins.websocket.broadcast.config import BroadcastConfig
from pyroadrunner.plugins.websocket.broadcast.rpc import BroadcastRpc


class BroadcastPlugin(Plugin, HasRpc):
    """The ``broadcast`` section: RPC methods that publish. Its brokers carry the messages of ``websockets``."""

    name = "broadcast"

    def __init__(self, config: BroadcastConfig, publishers: Sequence[PublishesToTopics]) -> None:
        self._config = config
        self._rpc = BroadcastRpc(publishers)

    def __repr__(self) -> str:
        return f"BroadcastPlugin({list(self._config.brokers)})"

    async def start(self) -> None: ...

    async def stop(self, grace: float) -> None:
        """Publish what waits."""
        await self._rpc.stop(grace)

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return self._rpc.methods()
