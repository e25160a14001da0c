"""The ``informer`` plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyroadrunner.contracts import HasPipelines, HasPools, HasProcesses, HasRpc, Plugin, RpcMethod
from pyroadrunner.plugins.informer.overview import Overviews
from pyroadrunner.plugins.informer.rpc import methods


class InformerPlugin(Plugin, HasRpc):
    """Reports the workers of all plugins."""

    name = "informer"

    def __init__(
        self,
        plugins: Sequence[HasPools],
        sidecars: Sequence[HasProcesses] = (),
        queues: Sequence[HasPipelines] = (),
    ) -> None:
        self._plugins = plugins
        self._sidecars = sidecars
        self._queues = queues
        self._overviews = Overviews(plugins, sidecars, queues)

    async def start(self) -> None:
        pass

    async def stop(self, grace: float) -> None:
        self._overviews.stop()

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return methods(self._plugins, self._sidecars, self._queues, self._overviews)
