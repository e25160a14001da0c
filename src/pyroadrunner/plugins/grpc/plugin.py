"""Lifecycle of the ``grpc`` plugin: services, listener, pool."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.contracts import (
    POOL_KEYS,
    HasAddresses,
    HasCertificates,
    HasConnections,
    HasMetrics,
    HasPools,
    HasStatus,
    HasTask,
    MetricFamily,
    Plugin,
    PoolFactory,
    PreparedReload,
    Reloadable,
    ServedAddress,
    Tracing,
    WorkerPool,
    all_serve,
    destroy_pools,
    has_free_worker,
    queue_metrics,
    start_pools,
)
from pyroadrunner.grpcd import GrpcApp, GrpcStatus, Interceptor, Method, StatusCode, chain
from pyroadrunner.log import Log
from pyroadrunner.plugins.grpc.builtin import BuiltinMethods
from pyroadrunner.plugins.grpc.call_log import CallLog
from pyroadrunner.plugins.grpc.config import GrpcConfig
from pyroadrunner.plugins.grpc.health import Health
from pyroadrunner.plugins.grpc.interceptors import load_interceptors
from pyroadrunner.plugins.grpc.listener import GrpcListener
from pyroadrunner.plugins.grpc.metrics import CallCounters
from pyroadrunner.plugins.grpc.reflection import Reflection
from pyroadrunner.plugins.grpc.schema.services import Services
from pyroadrunner.plugins.grpc.served import describe, read_served
from pyroadrunner.plugins.grpc.web.app import GrpcWeb
from pyroadrunner.plugins.grpc.worker_call import WorkerMethod

_GIVEN_UP_GRACE = 10.0  # seconds for the first calls if the start is cancelled, which means that the server stops

log = Log("grpc")


class GrpcPlugin(
    Plugin, HasTask, HasPools, HasMetrics, HasStatus, HasConnections, HasCertificates, Reloadable, HasAddresses
):
    """The ``grpc`` section: serves the services of ``.proto`` files with the workers of ``grpc.pool``."""

    name = "grpc"

    def __init__(self, config: GrpcConfig, factory: PoolFactory, tracing: Sequence[Tracing] = ()) -> None:
        self._config = config
        self._factory = factory
        self._tracing = tracing
        self._pools: dict[str, WorkerPool] = {}
        self._counters = CallCounters()
        self._listener: GrpcListener | None = None
        self._health: Health | None = None

    def __repr__(self) -> str:
        return f"GrpcPlugin({self._listener!r}, {list(self._pools.values())})"

    @property
    def port(self) -> int:
        """The port in use, even if the config says 0."""
        return self._listener.port if self._listener is not None else 0

    async def start(self) -> None:
        """Read the services, bind the address, start the workers, accept connections.

        Raises:
            RoadRunnerError: a file can't be read, an interceptor is missing, the address can't be bound, a certificate
                can't be used, or the workers failed to start.
        """
        interceptors = load_interceptors(self._config.interceptors)
        schema = read_served(self._config.proto)
        # Bind first: a taken address is reported immediately, while workers may take seconds to boot.
        listener = GrpcListener(self._config)
        described = asyncio.ensure_future(describe(schema)) if self._config.reflection else None
        try:
            self._pools = await start_pools(self._factory, self._config.pools(), self._config.worker_env())
            self._health = Health(schema.services)
            builtin = dict(self._health.methods())
            if described is not None:
                builtin |= Reflection(schema.services, await described).methods()
            await listener.start(self._app(schema.services, builtin, interceptors))
        except BaseException as wrong:
            if described is not None:
                described.cancel()
                await asyncio.wait([described])
            await listener.stop(_GIVEN_UP_GRACE if isinstance(wrong, asyncio.CancelledError) else 0)
            await destroy_pools(self._pools, 0)
            raise
        self._listener = listener
        self._health.set_serving(True)
        log.info("grpc server was started", address=self._config.listen)

    async def run(self) -> None:
        """Wait until the listener has stopped."""
        assert self._listener is not None
        await self._listener.run()

    async def stop(self, grace: float) -> None:
        """Refuse connections, wait for running calls, stop the workers."""
        if self._health is not None:
            self._health.shutdown()
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        if self._listener is not None:
            await self._listener.stop(grace)
        await destroy_pools(self._pools, max(0.0, until - loop.time()))

    def close_after_response(self) -> None:
        """Another process has taken over the address: close each connection."""
        if self._health is not None:
            self._health.end_watches()
        if self._listener is not None:
            self._listener.close_after_response()

    async def reload_certificates(self) -> None:
        """Check the certificate files now; without this call they are checked every second."""
        if self._listener is not None:
            await self._listener.reload_certificates()

    @staticmethod
    def reloadable_keys() -> Collection[str]:
        """The keys of the pool that running workers do not depend on."""
        return [f"pool.{key}" for key in POOL_KEYS]

    async def prepare_reload(self, section: GrpcConfig, whole: Mapping[str, Any]) -> PreparedReload:
        """Change the sizes, limits and timeouts of the pool."""

        def apply() -> None:
            self._config = section
            for name, config in section.pools().items():
                self._pools[name].reconfigure(config)

        return PreparedReload(apply)

    def addresses(self) -> Sequence[ServedAddress]:
        if self._listener is None:
            return []
        return [ServedAddress(kind=self.name, address=self._listener.address, key="grpc.listen")]

    def pools(self) -> Mapping[str, WorkerPool]:
        """``grpc``; empty before the start."""
        return self._pools

    async def metrics(self) -> Sequence[MetricFamily]:
        """Metrics of the calls and of the pool's queue."""
        return [*self._counters.families(), *await queue_metrics("grpc", self._pools)]

    async def healthy(self) -> bool:
        """Whether the pool has a worker that is ready or working."""
        return await all_serve(self._pools.values())

    async def ready(self) -> bool:
        """Whether the pool has a free worker now."""
        return await has_free_worker(self._pools.get(self.name))

    def _app(self, services: Services, builtin: BuiltinMethods, interceptors: list[Interceptor]) -> ASGIApp:
        pool = self._pools[self.name]
        tracing = next(iter(self._tracing), None)
        methods = {path: Method(path, stream_handler=handler) for path, handler in builtin.items()}
        for service in services.values():
            for rpc in service.methods.values():
                worker = WorkerMethod(service.name, rpc.name, pool, streams=rpc.server_streaming, tracing=tracing)
                methods[worker.path] = Method(
                    worker.path, chain(worker, interceptors), client_streaming=rpc.client_streaming
                )
        known = {path.removeprefix("/").rpartition("/")[0] for path in methods}.union(services)

        def unknown(path: str) -> GrpcStatus:
            service, _, method = path.removeprefix("/").rpartition("/")
            if service in known:
                return GrpcStatus(StatusCode.UNIMPLEMENTED, f"unknown method {method} for service {service}")
            return GrpcStatus(StatusCode.UNIMPLEMENTED, f"unknown service {service}")

        app = GrpcApp(
            methods,
            max_receive=self._config.max_receive_bytes,
            max_send=self._config.max_send_bytes,
            observer=CallLog(self._counters),
            unknown=unknown,
        )
        return GrpcWeb(app, self._config.web) if self._config.web.enabled else app
