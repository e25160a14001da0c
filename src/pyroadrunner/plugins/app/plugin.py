"""The ``app`` plugin; has nothing to start. The messages are imported when it is asked for its methods."""

from __future__ import annotations

from collections.abc import Mapping

from pyroadrunner.contracts import HasRpc, Plugin, RpcMethod


class AppPlugin(Plugin, HasRpc):
    """Lines of applications, on the channel ``app``."""

    name = "app"

    async def start(self) -> None:
        pass

    async def stop(self, grace: float) -> None:
        pass

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        from pyroadrunner.plugins.app.rpc import methods  # protobuf costs time and megabytes

        return methods()
