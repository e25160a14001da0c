"""The ``dashboard`` plugin."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence

from pyroadrunner.admin.server import LIMITS, WebServer
from pyroadrunner.contracts import (
    EffectiveConfig,
    HasCertificates,
    HasPages,
    HasPools,
    HasProcesses,
    HasStopHook,
    Log,
    LogSource,
    Plugin,
    WatchesRequests,
)
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.net.address import Address, parse_address
from pyroadrunner.plugins.dashboard.access import Failures, Secrets, Sessions
from pyroadrunner.plugins.dashboard.app import DashboardApp
from pyroadrunner.plugins.dashboard.assets import load_assets
from pyroadrunner.plugins.dashboard.config import DashboardConfig
from pyroadrunner.plugins.dashboard.guard import Guard
from pyroadrunner.plugins.dashboard.log_tail import LogTail
from pyroadrunner.plugins.dashboard.sampler import Sampler
from pyroadrunner.plugins.dashboard.views.catalogue import Catalogue
from pyroadrunner.plugins.dashboard.views.overview import Overview
from pyroadrunner.plugins.dashboard.views.workers import Workers

log = Log("dashboard")


class DashboardPlugin(Plugin, HasStopHook, HasCertificates, WatchesRequests):
    """Serves the dashboard at the address of its section."""

    name = "dashboard"
    weight = 1

    def __init__(
        self,
        config: DashboardConfig,
        effective: EffectiveConfig,
        plugins: Sequence[HasPages],
        workers: Sequence[HasPools],
        sidecars: Sequence[HasProcesses],
        logs: LogSource | None,
    ) -> None:
        self._config = config
        self._logs = logs
        self._tail = LogTail() if logs is not None else None
        self._end_tail: Callable[[], None] = lambda: None
        self._sampler = Sampler(workers)
        self._sampling: asyncio.Task[None] | None = None
        overview = Overview(self._sampler, workers)
        guard = Guard(
            Secrets(config.token, {name: user.password for name, user in config.users.items()}),
            Sessions(config.session_ttl, time.monotonic, lambda: secrets.token_urlsafe(32)),
            Failures(time.monotonic),
            frozenset(host.lower() for host in config.hosts),
            secure=config.ssl is not None,
        )
        catalogue = Catalogue(overview, Workers(workers, sidecars), effective, plugins, logs=logs is not None)
        self._app = DashboardApp(
            guard, catalogue, self._tail, load_assets(), overview.server(), read_only=config.read_only
        )
        files = None
        if config.ssl is not None:
            files = TlsFiles(config.ssl.cert, config.ssl.key, section="dashboard.ssl")
        address = parse_address(config.address, default_scheme="tcp")
        self._server = WebServer(address, "dashboard.address", self._app, log, LIMITS, files)

    def __repr__(self) -> str:
        return f"DashboardPlugin({self._server!r}, {self._app!r})"

    @property
    def address(self) -> Address:
        """The address in use."""
        return self._server.address

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError, TlsError: the address is not available, or the certificate can't be used.
        """
        await self._server.start()
        if self._logs is not None and self._tail is not None:
            self._end_tail = self._logs.listen(self._tail.add)
        self._sampling = asyncio.get_running_loop().create_task(self._sampler.run(), name="dashboard sampler")
        scheme = "https" if self._config.ssl is not None else "http"
        log.info("dashboard was started", url=f"{scheme}://{self.address.short}/")

    def on_stopping(self) -> None:
        """End the streams, which would hold up the stop."""
        self._app.close()

    async def stop(self, grace: float) -> None:
        """Finish running requests, then close."""
        self._app.close()
        self._end_tail()
        if self._sampling is not None:
            self._sampling.cancel()
        await self._server.stop(grace)

    async def reload_certificates(self) -> None:
        """Check the certificate files now."""
        await self._server.reload_certificates()

    def request_watcher(self) -> Callable[[int, float], None]:
        """Count the requests of ``http``."""
        return self._sampler.add
