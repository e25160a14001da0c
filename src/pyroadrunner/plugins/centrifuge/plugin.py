"""Lifecycle of the ``centrifuge`` plugin. ``grpc`` and the protobuf messages are imported when they are needed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pyroadrunner.contracts import (
    POOL_KEYS,
    HasCertificates,
    HasConnections,
    HasMetrics,
    HasPools,
    HasRpc,
    HasStatus,
    HasTask,
    MetricFamily,
    Plugin,
    PoolFactory,
    PreparedReload,
    Reloadable,
    RpcMethod,
    WorkerPool,
    all_serve,
    destroy_pools,
    has_free_worker,
    queue_metrics,
    start_pools,
)
from pyroadrunner.httpd.engine import HttpListener
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.endpoint import parse_endpoint
from pyroadrunner.plugins.centrifuge.config import CentrifugeConfig
from pyroadrunner.plugins.centrifuge.errors import GrpcNotInstalled, NotStarted
from pyroadrunner.plugins.centrifuge.figures import Figures
from pyroadrunner.plugins.centrifuge.metrics import call_metrics

if TYPE_CHECKING:
    from pyroadrunner.plugins.centrifuge.api import Api

_ADDRESS = "centrifuge.proxy_address"
_STREAMS = 2048  # concurrent calls of a connection, at least
_VERBOSITY = "GRPC_VERBOSITY"


class CentrifugePlugin(
    Plugin, HasTask, HasPools, HasRpc, HasMetrics, HasStatus, HasConnections, HasCertificates, Reloadable
):
    """The ``centrifuge`` section: answers Centrifugo's calls with workers, and forwards theirs to its API."""

    name = "centrifuge"
    weight = 5  # before plugins whose requests publish, and so stopped after them

    def __init__(self, config: CentrifugeConfig, factory: PoolFactory) -> None:
        self._config = config
        self._factory = factory
        self._figures = Figures()
        self._pools: dict[str, WorkerPool] = {}
        self._listener: HttpListener | None = None
        self._api: Api | None = None

    def __repr__(self) -> str:
        return f"CentrifugePlugin({self._listener!r}, {self._api!r})"

    async def start(self) -> None:
        """Bind the address, start the workers, accept calls. The API is connected in the background.

        Raises:
            ListenError: the address can't be bound.
            GrpcNotInstalled, UnusableFiles: the API can't be called.
            WorkerStartError: the workers failed to start.
        """
        # Bind first: a taken address is reported immediately, while workers may take seconds to boot.
        bound = BoundSockets(parse_endpoint(self._config.proxy_address, _ADDRESS), _ADDRESS)
        try:
            await self._start_api()
            self._pools = await start_pools(self._factory, {self.name: self._config.pool}, {"RR_MODE": "centrifuge"})
            from pyroadrunner.plugins.centrifuge.proxy import Proxy  # importing protobuf costs time and memory

            proxy = Proxy(lambda: self._pools[self.name], self._config.sub_refresh_type, self._figures)
            # Centrifugo has one connection: calls wait in the queue of the pool, which refuses those it can't hold.
            streams = max(_STREAMS, 2 * self._config.pool.max_queue_size)
            listener = HttpListener(proxy.app, bound, streams=streams)
            await listener.start()
        except BaseException:
            bound.close()
            await self._stop_api()
            await destroy_pools(self._pools, 0)
            raise
        self._listener = listener

    async def run(self) -> None:
        """Wait until the listener has stopped."""
        assert self._listener is not None
        await self._listener.run()

    async def stop(self, grace: float) -> None:
        """Refuse calls, wait for those that run, stop the workers, disconnect: workers may publish until their end."""
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        listener = self._listener
        if listener is not None:
            listener.close_after_response()
            await listener.drain()
            listener.refuse()
            await listener.finish(max(0.0, until - loop.time()))
        await destroy_pools(self._pools, max(0.0, until - loop.time()))
        await self._stop_api()

    def close_after_response(self) -> None:
        """Another process has taken over the address; HTTP/2 connections are told so at the stop."""
        if self._listener is not None:
            self._listener.close_after_response()

    async def reload_certificates(self) -> None:
        """Connect to the API again if files of ``centrifuge.tls`` have changed."""
        if self._api is not None:
            self._api.reload_certificates()

    @staticmethod
    def reloadable_keys() -> Collection[str]:
        """The keys of ``centrifuge.pool``."""
        return {f"pool.{key}" for key in POOL_KEYS}

    async def prepare_reload(self, section: CentrifugeConfig, whole: Mapping[str, Any]) -> PreparedReload:
        """Nothing can fail."""
        return PreparedReload(lambda: self._pools[self.name].reconfigure(section.pool))

    def pools(self) -> Mapping[str, WorkerPool]:
        """``centrifuge``; empty before the start."""
        return self._pools

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        from pyroadrunner.plugins.centrifuge.rpc import rpc_methods  # importing protobuf costs time and memory

        return rpc_methods(self._call_api)

    async def metrics(self) -> Sequence[MetricFamily]:
        return [*await queue_metrics("centrifugo", self._pools), *call_metrics(self._figures)]

    async def healthy(self) -> bool:
        """Whether a worker is ready or working. The connection to the API does not count: not every app uses it."""
        return await all_serve(self._pools.values())

    async def ready(self) -> bool:
        """Whether a worker is free now."""
        return await has_free_worker(self._pools.get(self.name))

    async def _start_api(self) -> None:
        try:
            with _quiet():
                from pyroadrunner.plugins.centrifuge.api import Api  # only here: it costs 17 MB
        except ModuleNotFoundError as missing:
            if not (missing.name or "").startswith("grpc"):
                raise
            raise GrpcNotInstalled from missing
        api = Api(self._config, self._figures)
        api.start()
        self._api = api

    async def _stop_api(self) -> None:
        if self._api is not None:
            await self._api.stop()

    async def _call_api(self, method: str, request: Any, response: Any) -> Any:
        if self._api is None:
            raise NotStarted
        return await self._api.call(method, request, response)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from writing each failed attempt to stderr. It reads the variable when it is imported; workers
    should not inherit it."""
    if _VERBOSITY in os.environ:
        yield
        return
    os.environ[_VERBOSITY] = "NONE"
    try:
        yield
    finally:
        os.environ.pop(_VERBOSITY, None)
