"""A queue in a local file. The name is RoadRunner's; the file is an SQLite database, since Python can't read BoltDB
files. All pipelines of the server that name the same file share one connection, and concurrent calls share a commit.
"""

from __future__ import annotations

import os

from pyroadrunner.plugins.jobs.drivers.boltdb.config import BoltdbConfig
from pyroadrunner.plugins.jobs.drivers.contract import Host
from pyroadrunner.plugins.jobs.drivers.sql.queue import TableDriver
from pyroadrunner.plugins.jobs.drivers.sql.sqlite import SqliteStore
from pyroadrunner.plugins.jobs.drivers.sql.store import Store

_SHOWN = "push"  # RoadRunner's bucket


class BoltdbDriver(TableDriver):
    """Jobs in a file."""

    def __init__(self, host: Host, config: BoltdbConfig, section: None = None) -> None:
        super().__init__(host, host.name, config.prefetch, _SHOWN)
        self._config = config
        self._file = os.path.realpath(config.file)

    async def _acquire(self) -> Store:
        config = self._config
        key = (self._file, config.synchronous)
        return await self.stores.acquire(key, lambda: SqliteStore(self._file, config.permissions, config.synchronous))
