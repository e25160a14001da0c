"""A storage in a local file. The name is RoadRunner's; the file is an SQLite database, since Python can't read BoltDB
files.

Acknowledged writes are committed to the file, so the server may be killed at any time. With ``synchronous: full`` the
write-ahead log is also flushed to disk at each commit, so a power loss loses nothing either, as BoltDB promises.
``normal`` leaves flushing to the operating system: a power loss may lose the last seconds.

Expired items are invisible from their millisecond on. A sweep deletes them, ``SLICE`` at a time.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from pyroadrunner.log import Log
from pyroadrunner.plugins.kv.config import BoltdbConfig
from pyroadrunner.plugins.kv.store import Item, StoreStats, counted
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.sqlite_file import open_file, reason
from pyroadrunner.remote.transactions import Transactions

FORMAT = 1
SLICE = 1000  # items per transaction of a sweep

_TABLES = (
    "CREATE TABLE IF NOT EXISTS items (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, expires INTEGER)",
    "CREATE INDEX IF NOT EXISTS items_expires ON items (expires) WHERE expires IS NOT NULL",
)
_LIVE = "key = ? AND (expires IS NULL OR expires > ?)"
_PUT = (
    "INSERT INTO items VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)

log = Log("kv")


class BoltdbStore:
    """A storage in a file."""

    operations = "boltdb_driver"

    def __init__(self, config: BoltdbConfig) -> None:
        self._config = config
        self._file = os.path.abspath(config.file)
        self._transactions = Transactions(self._open, f"kv {config.file}")
        self._sweeper: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"BoltdbStore({self._file})"

    async def start(self) -> None:
        try:
            await self._transactions.start()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self._file}: {reason(error, self._file)}") from error
        self._sweeper = asyncio.create_task(self._sweep_on_time())

    async def stop(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        await self._transactions.stop()

    def has(self, keys: Sequence[str]) -> Awaitable[Sequence[str]]:
        def work(db: sqlite3.Connection) -> Sequence[str]:
            now = _now()
            return [key for key in keys if _row(db, "1", key, now)]

        return self._transactions.run(work, writes=False)

    def mget(self, keys: Sequence[str]) -> Awaitable[Mapping[str, bytes]]:
        def work(db: sqlite3.Connection) -> Mapping[str, bytes]:
            now = _now()
            return {key: row[0] for key in keys if (row := _row(db, "value", key, now))}

        return self._transactions.run(work, writes=False)

    def ttl(self, keys: Sequence[str]) -> Awaitable[Mapping[str, int | None]]:
        """The times of keys that have one, as in RoadRunner."""

        def work(db: sqlite3.Connection) -> Mapping[str, int | None]:
            now = _now()
            return {key: row[0] for key in keys if (row := _row(db, "expires", key, now)) and row[0] is not None}

        return self._transactions.run(work, writes=False)

    def set(self, items: Sequence[Item]) -> Awaitable[None]:
        if any(not item.key for item in items):
            raise StoreError("key required")

        def work(db: sqlite3.Connection) -> None:
            db.executemany(_PUT, items)

        return self._transactions.run(work, writes=True)

    def set_absent(self, items: Sequence[Item]) -> Awaitable[Sequence[str]]:
        def work(db: sqlite3.Connection) -> Sequence[str]:
            now = _now()
            stored = []
            for item in items:
                if not _row(db, "1", item.key, now):
                    db.execute(_PUT, item)
                    stored.append(item.key)
            return stored

        return self._transactions.run(work, writes=True)

    def mexpire(self, times: Mapping[str, int]) -> Awaitable[None]:
        def work(db: sqlite3.Connection) -> None:
            now = _now()
            for key, expires in times.items():
                if expires > now:
                    db.execute(f"UPDATE items SET expires = ? WHERE {_LIVE}", (expires, key, now))
                else:
                    db.execute("DELETE FROM items WHERE key = ?", (key,))

        return self._transactions.run(work, writes=True)

    def delete(self, keys: Sequence[str]) -> Awaitable[None]:
        def work(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM items WHERE key = ?", [(key,) for key in keys])

        return self._transactions.run(work, writes=True)

    def clear(self) -> Awaitable[None]:
        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM items")

        return self._transactions.run(work, writes=True)

    def count(self, key: str, by: int, expires: int | None) -> Awaitable[int]:
        def work(db: sqlite3.Connection) -> int:
            row = _row(db, "value, expires", key, _now())
            value, kept = row or (None, expires)
            result = counted(value, by)
            db.execute(_PUT, (key, b"%d" % result, kept))
            return result

        return self._transactions.run(work, writes=True)

    def stats(self) -> Awaitable[StoreStats]:
        def work(db: sqlite3.Connection) -> StoreStats:
            where = "expires IS NULL OR expires > ?"
            return StoreStats(items=db.execute(f"SELECT count(*) FROM items WHERE {where}", (_now(),)).fetchone()[0])

        return self._transactions.run(work, writes=False)

    # inside

    def _open(self) -> sqlite3.Connection:
        db = open_file(self._file, self._config.permissions, self._config.synchronous)
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > FORMAT:
                raise sqlite3.DatabaseError(f"the file was written by a newer version (format {version}, not {FORMAT})")
            for statement in _TABLES:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {FORMAT}")
        except BaseException:
            db.close()
            raise
        return db

    async def _sweep_on_time(self) -> None:
        while True:
            await asyncio.sleep(self._config.interval)
            try:
                while await self._transactions.run(_sweep, writes=True) == SLICE:
                    pass
            except StoreError as error:  # a full disk, for example; the next sweep may succeed
                log.warning("expired items could not be deleted", file=self._file, error=str(error))


def _now() -> int:
    return time.time_ns() // 1_000_000


def _row(db: sqlite3.Connection, columns: str, key: str, now: int) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = db.execute(f"SELECT {columns} FROM items WHERE {_LIVE}", (key, now)).fetchone()
    return row


def _sweep(db: sqlite3.Connection) -> int:
    found = "SELECT rowid FROM items WHERE expires <= ? LIMIT ?"
    return db.execute(f"DELETE FROM items WHERE rowid IN ({found})", (_now(), SLICE)).rowcount


def build(config: BoltdbConfig) -> BoltdbStore:
    return BoltdbStore(config)
