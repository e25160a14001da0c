"""Lifecycle of the ``tcp`` plugin: servers, connections, pool."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pyroadrunner.contracts import (
    POOL_KEYS,
    HasAddresses,
    HasCertificates,
    HasMetrics,
    HasPools,
    HasRpc,
    HasStatus,
    MetricFamily,
    Plugin,
    PoolConfig,
    PoolFactory,
    PreparedReload,
    Reloadable,
    RpcMethod,
    ServedAddress,
    WorkerPool,
    all_serve,
    destroy_pools,
    has_free_worker,
    queue_metrics,
    start_pools,
)
from pyroadrunner.plugins.tcp.config import TcpConfig
from pyroadrunner.plugins.tcp.connections import CLOSE_TIMEOUT, Connections
from pyroadrunner.plugins.tcp.listener import Listener
from pyroadrunner.plugins.tcp.metrics import server_metrics
from pyroadrunner.plugins.tcp.rpc import TcpRpc

_TICK = 1.0  # seconds between two checks of deadlines and certificates


class TcpPlugin(Plugin, HasPools, HasRpc, HasMetrics, HasStatus, HasCertificates, Reloadable, HasAddresses):
    """The ``tcp`` section: gives the events of connections to the workers of ``tcp.pool``."""

    name = "tcp"

    def __init__(self, config: TcpConfig, factory: PoolFactory) -> None:
        self._config = config
        self._factory = factory
        self._connections = Connections()
        self._listeners: list[Listener] = []
        self._pools: dict[str, WorkerPool] = {}
        self._ticking: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"TcpPlugin({self._listeners}, {list(self._pools.values())})"

    def port(self, server: str) -> int:
        """The port of a server in use, even if the config says 0."""
        return next(one.port for one in self._listeners if one.name == server)

    async def start(self) -> None:
        """Bind the addresses, start the workers, accept connections.

        Raises:
            ListenError, TlsError: an address can't be bound, or a certificate can't be used.
            WorkerStartError: the workers failed to start.
        """
        config = self._config
        self._connections.loop = asyncio.get_running_loop()
        try:
            # Bind first: a taken address is reported immediately, while workers may take seconds to boot.
            for name, server in config.servers.items():
                self._listeners.append(
                    Listener(
                        name,
                        server,
                        self._connections,
                        read_ahead=config.read_ahead(server),
                        servers=len(config.servers),
                    )
                )
            self._pools = await start_pools(self._factory, {self.name: config.pool}, {"RR_MODE": "tcp"})
            self._configure(config.pool)
            for listener in self._listeners:
                await listener.start(self._pools[self.name])
        except BaseException:
            await self.stop(0.0)
            raise
        self._ticking = asyncio.create_task(self._tick(), name="deadlines of tcp")

    async def stop(self, grace: float) -> None:
        """Refuse connections; close each after its running event; stop the workers."""
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        for listener in self._listeners:
            listener.refuse()
        await self._connections.finish(grace)
        if self._ticking is not None:
            self._ticking.cancel()
        for listener in self._listeners:
            listener.close()
        await destroy_pools(self._pools, max(0.0, until - loop.time()))

    def addresses(self) -> Sequence[ServedAddress]:
        return [
            ServedAddress(kind=self.name, address=one.address, key=f"tcp.servers.{one.name}.addr", name=one.name)
            for one in self._listeners
        ]

    def pools(self) -> Mapping[str, WorkerPool]:
        """``tcp``; empty before the start."""
        return self._pools

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return TcpRpc(self._connections).methods()

    async def metrics(self) -> Sequence[MetricFamily]:
        return [*await queue_metrics(self.name, self._pools), *server_metrics(self._listeners)]

    async def healthy(self) -> bool:
        """Whether a worker is ready or working."""
        return await all_serve(self._pools.values())

    async def ready(self) -> bool:
        """Whether a worker is free now."""
        return await has_free_worker(self._pools.get(self.name))

    async def reload_certificates(self) -> None:
        """Check the certificate files now; without this call they are checked every second."""
        for listener in self._listeners:
            await listener.reload_certificates()

    @staticmethod
    def reloadable_keys() -> Collection[str]:
        """The keys of ``tcp.pool``."""
        return {f"pool.{key}" for key in POOL_KEYS}

    async def prepare_reload(self, section: TcpConfig, whole: Mapping[str, Any]) -> PreparedReload:
        """Nothing can fail."""

        def apply() -> None:
            self._config = section
            self._pools[self.name].reconfigure(section.pool)
            self._configure(section.pool)

        return PreparedReload(apply)

    def _configure(self, pool: PoolConfig) -> None:
        for listener in self._listeners:
            listener.close_timeout = pool.exec_ttl() or CLOSE_TIMEOUT

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK)
            self._connections.tick(loop.time())
            await self.reload_certificates()
