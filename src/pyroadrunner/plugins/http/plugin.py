"""Lifecycle of the ``http`` plugin: listeners, pools, middleware."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Any

from msgspec import structs

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.contracts import (
    AppRequest,
    AppResponse,
    EffectiveConfig,
    HandlesRequests,
    HasAddresses,
    HasCertificates,
    HasConnections,
    HasMetrics,
    HasPools,
    HasStatus,
    HasTask,
    MetricFamily,
    MountsOnHttp,
    Plugin,
    PoolFactory,
    PreparedReload,
    Reloadable,
    ServedAddress,
    Tracing,
    WatchesRequests,
    WorkerPool,
)
from pyroadrunner.httpd.mounts import Mounts
from pyroadrunner.net.peers import peer_ports
from pyroadrunner.plugins.http.app import WorkerApp
from pyroadrunner.plugins.http.body.uploads import UploadRules
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.counters import RequestCounters
from pyroadrunner.plugins.http.disconnects import Disconnects, PendingCalls
from pyroadrunner.plugins.http.gateway import chain
from pyroadrunner.plugins.http.internal_request import respond
from pyroadrunner.plugins.http.listeners import Listeners
from pyroadrunner.plugins.http.measure import ended_of
from pyroadrunner.plugins.http.metrics import refusal_metrics, request_metrics
from pyroadrunner.plugins.http.middleware.access_log import AccessLog
from pyroadrunner.plugins.http.middleware.registry import Setup, layers
from pyroadrunner.plugins.http.mounts import Mounted
from pyroadrunner.plugins.http.reloadable import RELOADABLE_KEYS
from pyroadrunner.plugins.http.routes import Router
from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.child_process import Credentials
from pyroadrunner.workers.health import all_serve, has_free_worker
from pyroadrunner.workers.metrics import queue_metrics
from pyroadrunner.workers.pools import destroy_pools, start_pools

_GIVEN_UP_GRACE = 10.0  # seconds for the first requests if the start is cancelled, which means that the server stops


class HttpPlugin(
    Plugin,
    HasTask,
    HasPools,
    HasMetrics,
    HasStatus,
    HasConnections,
    HasCertificates,
    HandlesRequests,
    Reloadable,
    HasAddresses,
):
    """The ``http`` section: serves HTTP with the workers of ``http.pool`` and ``http.routes``."""

    name = "http"

    def __init__(
        self,
        config: HttpConfig,
        factory: PoolFactory,
        effective: EffectiveConfig,
        tracing: Sequence[Tracing] = (),
        mounting: Sequence[MountsOnHttp] = (),
        watching: Sequence[WatchesRequests] = (),
    ) -> None:
        self._config = config
        self._factory = factory
        self._effective = effective
        self._tracing = tracing
        self._mounting = mounting
        self._watching = watching
        self._mounts: Mounts | None = None
        self._pools: dict[str, WorkerPool] = {}
        self._counters = RequestCounters()
        self._began = monotonic()
        self._listeners: Listeners | None = None
        self._application: ASGIApp | None = None
        self._calls = PendingCalls()
        self._disconnects: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"HttpPlugin({self._listeners!r}, {list(self._pools.values())})"

    @property
    def port(self) -> int:
        """The port in use, even if the config says 0."""
        return self._listeners.port if self._listeners is not None else 0

    async def start(self) -> None:
        """Bind the addresses, start the workers, accept connections.

        Raises:
            ListenError, TlsError: no address is configured, one can't be bound, or a certificate can't be used.
            WorkerStartError: the workers failed to start.
        """
        if mounts := [mount for plugin in self._mounting for mount in plugin.http_mounts()]:
            self._mounts = Mounts(mounts)
        # Bind first: a taken address is reported immediately, while workers may take seconds to boot.
        listeners = Listeners(
            self._config,
            experimental=bool(self._config.http3.address) and self._effective.experimental,
            mounts=self._mounts,
        )
        try:
            self._pools = await start_pools(
                self._factory, self._config.pools(), {"RR_MODE": "http"}, queue=QueuePolicy.ADAPTIVE_LIFO
            )
            await listeners.start(partial(self._chain, self._config, self._effective.as_dict()))
        except BaseException as wrong:
            await listeners.stop(_GIVEN_UP_GRACE if isinstance(wrong, asyncio.CancelledError) else 0)
            listeners.close()
            await destroy_pools(self._pools, 0)
            raise
        self._listeners = listeners
        self._application = self._router(self._config, self._effective.as_dict())
        if listeners.uses_h2corn:
            self._disconnects = asyncio.create_task(
                Disconnects(self._pools, self._calls, peer_ports).run(), name="disconnects"
            )

    async def run(self) -> None:
        """Wait until all listeners have stopped."""
        assert self._listeners is not None
        await self._listeners.run()

    async def stop(self, grace: float) -> None:
        """Refuse connections, wait for running requests, stop the workers."""
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        if self._disconnects is not None:
            self._disconnects.cancel()
        if self._listeners is not None:
            await self._listeners.stop(grace)
        await destroy_pools(self._pools, max(0.0, until - loop.time()))

    def close_after_response(self) -> None:
        """Another process has taken over the addresses: close each connection after its next response."""
        if self._listeners is not None:
            self._listeners.close_after_response()

    async def reload_certificates(self) -> None:
        """Check the certificate files now; without this call they are checked every second."""
        if self._listeners is not None and self._listeners.tls is not None:
            await self._listeners.tls.reload()

    @staticmethod
    def reloadable_keys() -> Collection[str]:
        """The keys of the application and the pools, but not of the sockets."""
        return RELOADABLE_KEYS

    async def prepare_reload(self, section: HttpConfig, whole: Mapping[str, Any]) -> PreparedReload:
        """Build a new middleware chain.

        Raises:
            RoadRunnerError: the chain can't be built.
        """
        assert self._listeners is not None
        replace = self._listeners.replacement(partial(self._chain, section, whole))
        application = self._router(section, whole)

        def apply() -> None:
            self._config = section
            for name, config in section.pools().items():
                self._pools[name].reconfigure(config)
            replace()
            self._application = application

        return PreparedReload(apply)

    async def handle_request(self, request: AppRequest) -> AppResponse:
        """Handle a request of another plugin."""
        assert self._application is not None
        return await respond(self._application, request)

    def addresses(self) -> Sequence[ServedAddress]:
        return self._listeners.addresses() if self._listeners is not None else []

    def pools(self) -> Mapping[str, WorkerPool]:
        """``http``, and one pool per route; empty before the start."""
        return self._pools

    async def metrics(self) -> Sequence[MetricFamily]:
        """Metrics of the pools (queue, dynamic allocator), of the requests and of those that were refused."""
        requests = await request_metrics(self._pools, monotonic() - self._began)
        refused = refusal_metrics(self._listeners.refusals.counts if self._listeners is not None else {})
        return [*await queue_metrics("http", self._pools), *requests, refused, *self._counters.families()]

    async def healthy(self) -> bool:
        """Whether each pool has a worker that is ready or working."""
        return await all_serve(self._pools.values())

    async def ready(self) -> bool:
        """Whether the default pool has a free worker now; pools of routes are ignored."""
        return await has_free_worker(self._pools.get(self.name))

    def _chain(self, config: HttpConfig, effective: Mapping[str, Any]) -> ASGIApp:
        served = self._router(config, effective)
        around = layers(Setup(config=config, effective=effective, tracing=self._tracing, counters=self._counters))
        if self._mounts is not None:
            served = Mounted(served, self._mounts)
        return chain(AccessLog(served, long=config.access_logs, slow=config.slow_request), around)

    def _router(self, config: HttpConfig, effective: Mapping[str, Any]) -> ASGIApp:
        """The application without middleware."""
        rules = UploadRules(config.uploads, owner(effective))
        configs = config.pools()
        ended = ended_of(self._watching)

        def app(name: str) -> WorkerApp:
            pool = self._pools[name]
            return WorkerApp(structs.replace(config, pool=configs[name]), pool, rules, self._calls, ended=ended)

        served: ASGIApp = app(self.name)
        if config.routes:
            served = Router(served, [(route, app(route.pool_name)) for route in config.routes])
        return served


def owner(config: Mapping[str, Any]) -> tuple[int, int] | None:
    """User and group that need access to uploaded files; ``None`` = the server's own.

    Args:
        config: the whole config; reads ``server.user`` and ``server.group``.

    Raises:
        UnknownUser: the user or the group does not exist.
    """
    server = config.get("server")
    if not isinstance(server, dict) or os.geteuid() != 0:
        return None
    credentials = Credentials.of(str(server.get("user") or ""), str(server.get("group") or ""))
    return (credentials.uid, credentials.gid) if credentials.uid and credentials.gid else None
