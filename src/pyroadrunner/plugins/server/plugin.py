"""Gives other plugins their pools: it knows the command, the relay and the environment of workers."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pyroadrunner.config.expand import as_environment
from pyroadrunner.contracts import EffectiveConfig, Plugin, PoolFactory, WorkerPool
from pyroadrunner.goridge.sockets import SocketListener
from pyroadrunner.plugins.server.config import ServerConfig
from pyroadrunner.plugins.server.environment import worker_environment
from pyroadrunner.plugins.server.on_init import run_on_init
from pyroadrunner.plugins.server.php_library import php_library
from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.child_process import SERVER_CREDENTIALS, Credentials
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.debug_pool import DebugPool
from pyroadrunner.workers.pool import Pool
from pyroadrunner.workers.spawn import MAX_ANSWER, Spawner


class ServerPlugin(Plugin, PoolFactory):
    """The ``server`` section; keeps the promises of ``contracts.PoolFactory``."""

    name = "server"

    def __init__(self, config: ServerConfig, effective: EffectiveConfig) -> None:
        self._config = config
        self._effective = effective
        self._credentials = SERVER_CREDENTIALS
        self._listener: SocketListener | None = None

    async def start(self) -> None:
        """Open the relay's socket, run ``on_init``.

        Raises:
            RelayError: the relay's address is wrong or taken.
            UnknownUser, OnInitFailed.
        """
        self._credentials = Credentials.of(self._config.user, self._config.group)
        if self._config.relay not in ("", "pipes"):
            uid, gid = self._credentials.uid, self._credentials.gid
            self._listener = SocketListener(
                self._config.relay, MAX_ANSWER, uid=-1 if uid is None else uid, gid=-1 if gid is None else gid
            )
            await self._listener.start()
        on_init = self._config.on_init
        if on_init is not None:
            await run_on_init(on_init, {**as_environment(on_init.env, os.environ), **os.environ})

    async def stop(self, grace: float) -> None:
        """The pools are stopped by the plugins they were made for."""
        if self._listener is not None:
            await self._listener.close()

    async def create_pool(
        self, name: str, config: PoolConfig, env: Mapping[str, str], *, queue: QueuePolicy = QueuePolicy.FIFO
    ) -> WorkerPool:
        spawner = Spawner(
            config.command or self._config.command,
            worker_environment(
                os.environ,
                relay=self._config.relay or "pipes",
                rpc=self._rpc(),
                library=php_library(),
                server=self._config.env,
                plugin=env,
            ),
            pool=name,
            timeout=config.allocate_timeout,
            credentials=self._credentials,
            listener=self._listener,
        )
        if config.debug:
            return DebugPool(name, config, spawner)
        pool = Pool(name, config, spawner, queue)
        await pool.start()
        return pool

    def _rpc(self) -> str:
        """``rpc.listen`` as the workers are told it; empty when there is no ``rpc`` section."""
        section = self._effective.as_dict().get("rpc")
        if not isinstance(section, dict):
            return ""
        return str(section.get("listen") or "tcp://127.0.0.1:6001")
