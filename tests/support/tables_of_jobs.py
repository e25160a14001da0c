"""Drivers that keep jobs in a table, alone: a pipeline that the test controls, and a real database."""

from __future__ import annotations

import asyncio
import sqlite3
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from pyroadrunner.plugins.jobs.drivers.contract import Delivery, Host, Job
from pyroadrunner.plugins.jobs.drivers.sql.config import SqlConfig, SqlSection
from pyroadrunner.plugins.jobs.drivers.sql.driver import SqlDriver
from support.postgres import PostgresServer

PATIENCE = 60.0  # seconds


class TestHost(Host):
    """A pipeline that takes up to ``limit`` jobs and settles none by itself.

    Attributes:
        arrived: unsettled deliveries that the test has not taken yet.
        why: reasons of lost connections.
    """

    __test__ = False
    timeout = PATIENCE

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self.limit = limit
        self.unsettled = 0
        self.arrived: list[Delivery] = []
        self.why: list[str] = []
        self._changed = asyncio.Event()

    @property
    def name(self) -> str:
        return self._name

    def deliver(self, delivery: Delivery) -> None:
        self.unsettled += 1
        self.arrived.append(delivery)
        self._changed.set()

    async def room(self, prefetch: int) -> int:
        await self._until(lambda: min(prefetch, self.limit) > self.unsettled, None)
        return min(prefetch, self.limit) - self.unsettled

    def lost(self, why: str) -> None:
        self.why.append(why)
        self._changed.set()

    def settled(self) -> None:
        """One delivery is settled."""
        self.unsettled -= 1
        self._changed.set()

    async def take(self, count: int) -> list[Delivery]:
        """Wait for so many deliveries."""
        await self._until(lambda: len(self.arrived) >= count)
        found, self.arrived = self.arrived[:count], self.arrived[count:]
        return found

    async def wait_lost(self) -> str:
        """Wait for the loss of the connection."""
        await self._until(lambda: bool(self.why))
        return self.why[-1]

    async def _until(self, true: Callable[[], bool], patience: float | None = PATIENCE) -> None:
        async with asyncio.timeout(patience):
            while not true():
                self._changed.clear()
                await self._changed.wait()


class Database(Protocol):
    """A database, and a foreign client of it.

    Attributes:
        dsn: for the driver.
    """

    dsn: str

    @abstractmethod
    def sql(self, statement: str) -> str:
        """Run a statement; its rows, with ``|`` between the columns."""


class SqliteDatabase(Database):
    def __init__(self, folder: Path) -> None:
        self.file = folder / "jobs.db"
        self.dsn = f"sqlite:///{self.file}"

    def sql(self, statement: str) -> str:
        with sqlite3.connect(self.file, isolation_level=None, timeout=PATIENCE) as db:
            rows = db.execute(statement).fetchall()
        db.close()
        return "\n".join("|".join("" if value is None else str(value) for value in row) for row in rows)


class PostgresDatabase(Database):
    """A database of its own on a server."""

    _number = 0

    def __init__(self, server: PostgresServer) -> None:
        PostgresDatabase._number += 1
        self.name = f"jobs{PostgresDatabase._number}"
        self.server = server
        server.sql(f"CREATE DATABASE {self.name}")
        self.dsn = server.dsn.removesuffix("postgres") + self.name

    def sql(self, statement: str) -> str:
        return self.server.sql(statement, self.name)


def make_driver(database: Database, host: Host, **keys: Any) -> SqlDriver:
    """A driver, with settings of the pipeline and of the section."""
    section = {key: keys.pop(key) for key in ("lease", "notify") if key in keys}
    return SqlDriver(host, SqlConfig(**keys), SqlSection(dsn=keys.get("dsn") or database.dsn, **section))


class Bench:
    """Makes connected drivers and disconnects them at the end."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._stack = AsyncExitStack()

    async def driver(self, *, consume: bool = True, limit: int = 1000, **keys: Any) -> tuple[SqlDriver, TestHost]:
        """A connected driver of the queue ``q``."""
        host = TestHost("p", limit)
        driver = make_driver(self.database, host, **{"queue": "q", "lease": 2.0, **keys})
        self._stack.push_async_callback(driver.disconnect)
        await driver.connect()
        if consume:
            await driver.consume()
        return driver, host

    @classmethod
    @asynccontextmanager
    async def on(cls, database: Database) -> AsyncIterator[Bench]:
        bench = cls(database)
        async with bench._stack:
            yield bench


def job(name: str = "1", **fields: Any) -> Job:
    return Job(**{"id": name, "name": "App\\Job", "payload": b"x", "pipeline": "p", **fields})
