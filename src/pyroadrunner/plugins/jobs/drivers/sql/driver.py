"""The driver ``sql``: chooses the database by its address."""

from __future__ import annotations

import os
from importlib import import_module

from pyroadrunner.plugins.jobs.drivers.contract import BrokerRefused, Host
from pyroadrunner.plugins.jobs.drivers.sql.config import SqlConfig, SqlSection
from pyroadrunner.plugins.jobs.drivers.sql.queue import TableDriver
from pyroadrunner.plugins.jobs.drivers.sql.sqlite import SqliteStore
from pyroadrunner.plugins.jobs.drivers.sql.store import Store

_SQLITE = "sqlite:///"
_NEW_FILE = 0o644


class SqlDriver(TableDriver):
    """Jobs in a table of PostgreSQL or SQLite."""

    def __init__(self, host: Host, config: SqlConfig, section: SqlSection) -> None:
        super().__init__(host, config.queue or host.name, config.prefetch)
        self._section = section
        self._dsn = config.dsn or section.dsn
        self._file = os.path.realpath(self._dsn.removeprefix(_SQLITE)) if self._dsn.startswith(_SQLITE) else ""

    async def _acquire(self) -> Store:
        if self._file:
            return await self.stores.acquire((self._file, "full"), lambda: SqliteStore(self._file, _NEW_FILE, "full"))
        return await self.stores.acquire((self._dsn, self._section), self._postgres)

    def _postgres(self) -> Store:
        try:
            module = import_module("pyroadrunner.plugins.jobs.drivers.sql.postgres")
        except ModuleNotFoundError as missing:
            raise BrokerRefused(
                f"PostgreSQL needs the package {missing.name}: pip install 'pyroadrunner[sql]'"
            ) from missing
        store: Store = module.PostgresStore(self._dsn, self._section.lease, self._section.notify)
        return store
