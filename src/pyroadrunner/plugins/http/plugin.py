"""Lifecycle of the ``http`` plugin: the port, the pool, the chain, the listener."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from pyroadrunner.contracts import Effective, PoolFactory, WorkerPool
from pyroadrunner.plugins.http.address import parse_address
from pyroadrunner.plugins.http.app import WorkerApp
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.entry import Entry, chain
from pyroadrunner.plugins.http.errors import ListenError
from pyroadrunner.plugins.http.listener import Listener
from pyroadrunner.plugins.http.middleware.access_log import AccessLog
from pyroadrunner.plugins.http.middleware.registry import Setup, layers
from pyroadrunner.plugins.http.sockets import BoundSockets
from pyroadrunner.plugins.http.uploads import UploadRules
from pyroadrunner.workers.children import Identity
from pyroadrunner.workers.state import State


class HttpPlugin:
    """The ``http`` section: serves HTTP from the workers of ``http.pool``."""

    name = "http"

    def __init__(self, config: HttpConfig, factory: PoolFactory, effective: Effective) -> None:
        self._config = config
        self._factory = factory
        self._effective = effective
        self._pool: WorkerPool | None = None
        self._listener: Listener | None = None
        self._bound: BoundSockets | None = None

    def __repr__(self) -> str:
        return f"HttpPlugin({self._listener!r}, {self._pool!r})"

    @property
    def port(self) -> int:
        """The port in use, also where the config says 0."""
        return self._bound.port if self._bound is not None else 0

    async def start(self) -> None:
        """Bind the address, start the workers, accept connections.

        Raises:
            ListenError: there is no address, or it can't be listened on.
            WorkerStartError: the workers do not come up.
        """
        if not self._config.address:
            raise ListenError(
                "unable to run http service, no method has been specified: set http.address, such as 127.0.0.1:8080"
            )
        # First the port: it is refused in no time, while workers may take seconds to boot.
        self._bound = BoundSockets(parse_address(self._config.address))
        try:
            self._pool = await self._factory.create_pool("http", self._config.pool, {"RR_MODE": "http"})
            self._listener = Listener(self._chain(self._pool), self._bound)
            await self._listener.start()
        except BaseException:
            self._bound.close()
            if self._pool is not None:
                await self._pool.destroy(0)
            raise

    async def run(self) -> None:
        """Wait until the listener has stopped."""
        assert self._listener is not None
        await self._listener.run()

    async def stop(self, grace: float) -> None:
        """Refuse connections, let running requests end, stop the workers."""
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        if self._listener is not None:
            self._listener.refuse()
            await self._listener.finish(grace)
        if self._pool is not None:
            await self._pool.destroy(max(0.0, until - loop.time()))

    def pools(self) -> Mapping[str, WorkerPool]:
        """Its one pool, once started."""
        return {"http": self._pool} if self._pool is not None else {}

    async def healthy(self) -> bool:
        """Whether a worker serves: one is ready or working."""
        return await self._has_worker(State.READY, State.WORKING)

    async def ready(self) -> bool:
        """Whether a worker is free right now."""
        return await self._has_worker(State.READY)

    async def _has_worker(self, *states: State) -> bool:
        return self._pool is not None and any(worker.status in states for worker in await self._pool.workers())

    def _chain(self, pool: WorkerPool) -> Entry:
        effective = self._effective.as_dict()
        rules = UploadRules(self._config.uploads, owner(effective))
        app = WorkerApp(self._config, pool, rules)
        around = layers(Setup(config=self._config, effective=effective))
        return Entry(chain(AccessLog(app, long=self._config.access_logs), around))


def owner(config: Mapping[str, Any]) -> tuple[int, int] | None:
    """User and group that uploaded files must belong to for the workers to read them; ``None`` = ours do.

    Args:
        config: the whole config; ``server.user`` and ``server.group`` count.

    Raises:
        UnknownUser: they name nobody.
    """
    server = config.get("server")
    if not isinstance(server, dict) or os.geteuid() != 0:
        return None
    identity = Identity.of(str(server.get("user") or ""), str(server.get("group") or ""))
    return (identity.uid, identity.gid) if identity.uid and identity.gid else None
