"""The ``rpc`` plugin: starts before the workers, which may call it during boot, and stops after them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pyroadrunner.contracts import EffectiveConfig, HasAddresses, HasRpc, Plugin, ServedAddress
from pyroadrunner.log import Log
from pyroadrunner.net.address import Address, parse_address
from pyroadrunner.plugins.rpc.builtin import builtin_methods
from pyroadrunner.plugins.rpc.config import RpcConfig
from pyroadrunner.plugins.rpc.methods import Methods
from pyroadrunner.plugins.rpc.server import RpcServer

log = Log("rpc")


class RpcPlugin(Plugin, HasAddresses):
    """Serves RPC at the address of its section."""

    name = "rpc"
    weight = 100

    def __init__(self, config: RpcConfig, services: Sequence[HasRpc], effective: EffectiveConfig) -> None:
        self._config = config
        self._services = services
        self._effective = effective
        self._server: RpcServer | None = None

    def __repr__(self) -> str:
        return f"RpcPlugin({self._server or self._config.listen})"

    @property
    def address(self) -> Address:
        """The address; after the start with the actual port."""
        return self._server.address if self._server is not None else parse_address(self._config.listen)

    def addresses(self) -> Sequence[ServedAddress]:
        return [ServedAddress(kind=self.name, address=self.address.short, key="rpc.listen")]

    async def start(self) -> None:
        """Listen. A plugin's methods are loaded with the first call to it.

        Raises:
            InvalidAddress, ListenError: ``rpc.listen`` is invalid or not available.
        """
        services = {service.name: service.rpc_methods for service in self._services}
        methods = Methods({**services, self.name: partial(builtin_methods, self._effective)})
        self._server = RpcServer(parse_address(self._config.listen), methods)
        await self._server.start()
        log.debug(
            "plugin was started",
            address=str(self.address),
            **{"list of the plugins with RPC methods:": sorted(methods.services)},
        )

    async def stop(self, grace: float) -> None:
        if self._server is not None:
            await self._server.stop(grace)
