"""The ``app`` plugin. Its start and stop do nothing. The protobuf messages are imported when ``rpc_methods`` is
called."""

from __future__ import annotations

from collections.abc import Mapping

from pyroadrunner.contracts import HasRpc, Plugin, RpcMethod


class AppPlugin(Plugin, HasRpc):
    """Logs lines of applications, on the channel ``app``."""

    name = "app"

    async def start(self) -> None:
        pass

    async def stop(self, grace: float) -> None:
        pass

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        from pyroadrunner.plugins.app.rpc import methods  # importing protobuf costs time and memory

        return methods()
