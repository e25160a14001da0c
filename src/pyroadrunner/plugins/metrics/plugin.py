"""The ``metrics`` plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping, Sequence

from pyroadrunner.admin.app import AdminRequest
from pyroadrunner.admin.pages import page_of
from pyroadrunner.admin.response import AdminResponse
from pyroadrunner.admin.server import AdminServer
from pyroadrunner.contracts import (
    HasAddresses,
    HasMetrics,
    HasMonitoringPages,
    HasPools,
    HasRpc,
    MetricFamily,
    Plugin,
    RpcMethod,
    ServedAddress,
)
from pyroadrunner.log import Log
from pyroadrunner.net.address import parse_address
from pyroadrunner.plugins.metrics.config import MetricsConfig
from pyroadrunner.plugins.metrics.errors import BadCollector
from pyroadrunner.plugins.metrics.exposition import CONTENT_TYPE, exposition
from pyroadrunner.plugins.metrics.process import process_metrics
from pyroadrunner.plugins.metrics.registry import Registry
from pyroadrunner.plugins.metrics.rpc import methods
from pyroadrunner.plugins.metrics.workers import worker_metrics

log = Log("metrics")

_PATIENCE = 5.0  # seconds for a plugin's metrics; Prometheus times out after 10


class MetricsPlugin(Plugin, HasRpc, HasAddresses):
    """Serves the metrics of all plugins and of the application to Prometheus."""

    name = "metrics"
    weight = 1

    def __init__(
        self,
        config: MetricsConfig,
        plugins: Sequence[HasMetrics],
        workers: Sequence[HasPools],
        pages: Sequence[HasMonitoringPages] = (),
    ) -> None:
        self._config = config
        self._pages = pages
        self._plugins = plugins
        self._workers = workers
        self._registry = Registry(config.max_series)
        self._server = AdminServer(
            parse_address(config.address, default_scheme="tcp"), "metrics.address", self._answer, log
        )

    def __repr__(self) -> str:
        return f"MetricsPlugin({self._server!r}, {self._registry!r})"

    async def start(self) -> None:
        """Create the collectors of the section and listen.

        Raises:
            BadCollector: a collector is invalid.
            ListenError: the address is not available.
        """
        for name, config in self._config.collect.items():
            try:
                self._registry.declare(name, config)
            except BadCollector as wrong:
                raise BadCollector(f"metrics.collect.{name}: {wrong}") from wrong
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """Finish running scrapes, then close."""
        await self._server.stop(grace)

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return methods(self._registry)

    def addresses(self) -> Sequence[ServedAddress]:
        return [ServedAddress(kind=self.name, address=self._server.address.short, key="metrics.address")]

    async def _answer(self, request: AdminRequest) -> AdminResponse:
        """All paths return the metrics, as in RoadRunner, except for pages of other plugins."""
        if page := await page_of(self._pages, request.path.rstrip("/"), request):
            return page
        return AdminResponse(200, exposition(await self.families()), CONTENT_TYPE)

    async def families(self) -> list[MetricFamily]:
        """All current metrics. If a plugin fails, its metrics are missing and the error is logged."""
        found = await asyncio.gather(*(_asked(name, asked) for name, asked in self._gather()))
        return [*process_metrics(), *(family for families in found for family in families), *self._registry.families()]

    def _gather(self) -> Iterator[tuple[str, Awaitable[Sequence[MetricFamily]]]]:
        for plugin in self._plugins:
            yield plugin.name, plugin.metrics()
        for one in self._workers:
            yield one.name, worker_metrics(one)


async def _asked(name: str, asked: Awaitable[Sequence[MetricFamily]]) -> Sequence[MetricFamily]:
    try:
        return await asyncio.wait_for(asked, _PATIENCE)
    except Exception as error:  # a bug in a plugin must not hide the metrics of others
        log.error("a plugin failed to report its metrics", plugin=name, error=f"{type(error).__name__}: {error}")
        return []
