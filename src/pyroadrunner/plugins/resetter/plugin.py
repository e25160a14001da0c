"""The ``resetter`` plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyroadrunner.contracts import HasPools, HasProcesses, HasRpc, Plugin, RpcMethod
from pyroadrunner.plugins.resetter.rpc import methods


class ResetterPlugin(Plugin, HasRpc):
    """Knows every plugin with workers; has nothing to start."""

    name = "resetter"

    def __init__(self, plugins: Sequence[HasPools], sidecars: Sequence[HasProcesses] = ()) -> None:
        self._plugins = plugins
        self._sidecars = sidecars

    async def start(self) -> None:
        pass

    async def stop(self, grace: float) -> None:
        pass

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return methods(self._plugins, self._sidecars)
