"""Claims and history in a SQLite file: they survive a restart, and servers of this machine may share them."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pyroadrunner.plugins.schedule.run import LEASE, Run, decode, encode, skipped
from pyroadrunner.plugins.schedule.store import KEPT, Answer, Overlap, StoreFailed, takes

T = TypeVar("T")

_TABLES = """
create table if not exists claims (
    entry text not null, slot integer not null, run text not null, primary key (entry, slot)
) without rowid;
create table if not exists newest (entry text primary key, slot integer not null) without rowid;
create table if not exists running (entry text primary key, run text not null, alive integer not null) without rowid;
create table if not exists runs (number integer primary key, id text unique not null, entry text not null,
    record blob not null);
create index if not exists runs_of_entry on runs (entry, number);
"""
_BUSY = 5.0  # seconds to wait for another process


class FileStore:
    """Implements :class:`~pyroadrunner.plugins.schedule.store.Store`.

    A claim is on the disk when ``begin`` returns, so a power cut repeats nothing. One thread does all of it, since a
    slow disk must not hold up requests.

    Args:
        path: of the file; created when it is missing.
        history: number of runs to keep for each entry.
    """

    def __init__(self, path: str, history: int) -> None:
        self.salt = socket.gethostname()
        self._path = path
        self._history = history
        self._db: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="schedule")

    def __repr__(self) -> str:
        return f"FileStore({self._path!r})"

    async def start(self) -> None:
        await self._do(lambda _: None)

    async def last_slots(self, entries: Sequence[str], now: int) -> Mapping[str, int]:
        def work(db: sqlite3.Connection) -> Mapping[str, int]:
            db.executemany("insert or ignore into newest values (?, ?)", [(name, now) for name in entries])
            found = dict(db.execute("select entry, slot from newest"))
            return {name: found[name] for name in entries}

        return await self._do(work)

    async def begin(self, run: Run, overlap: Overlap) -> Answer:
        def work(db: sqlite3.Connection) -> Answer:
            claims = run.trigger != "manual"
            if claims and _one(db, "select run from claims where entry=? and slot=?", run.entry, run.slot) not in (
                None,
                run.id,
            ):
                return Answer.TAKEN
            running = _one(db, "select run from running where entry=? and alive >= ?", run.entry, run.alive - LEASE)
            busy = overlap != "allow" and running not in (None, run.id)
            if busy and overlap == "queue":
                return Answer.WAIT
            if claims:
                _claim(db, run)
            if not busy and overlap != "allow":
                db.execute("insert or replace into running values (?, ?, ?)", (run.entry, run.id, run.alive))
            self._record(db, skipped(run) if busy else run)
            return Answer.SKIPPED if busy else Answer.RUN

        return await self._do(work)

    async def renew(self, run: Run) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute("update running set alive=? where entry=? and run=?", (run.alive, run.entry, run.id))
            self._record(db, run)

        await self._do(work)

    async def finish(self, run: Run) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute("delete from running where entry=? and run=?", (run.entry, run.id))
            self._record(db, run)

        await self._do(work)

    async def history(self, entry: str, most: int) -> Sequence[Run]:
        def work(db: sqlite3.Connection) -> Sequence[Run]:
            rows = db.execute("select record from runs where entry=? order by number desc limit ?", (entry, most))
            return [decode(record) for (record,) in rows]

        return await self._do(work)

    async def stop(self) -> None:
        if self._db is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._db.close)
            self._db = None
        self._thread.shutdown(wait=False)

    # inside

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, work)
        except (sqlite3.Error, OSError) as error:
            raise StoreFailed(f"{self._path}: {error}") from error

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._db is None:
            self._db = self._open()
        self._db.execute("begin immediate")
        try:
            done = work(self._db)
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise
        return done

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        try:
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = full")
            db.executescript(_TABLES)
        except BaseException:
            db.close()
            raise
        return db

    def _record(self, db: sqlite3.Connection, run: Run) -> None:
        db.execute(
            "insert into runs (id, entry, record) values (?, ?, ?)"
            " on conflict (id) do update set record=excluded.record",
            (run.id, run.entry, encode(run)),
        )
        db.execute(
            "delete from runs where entry=? and number <= (select number from runs where entry=?"
            " order by number desc limit 1 offset ?)",
            (run.entry, run.entry, self._history),
        )


def _claim(db: sqlite3.Connection, run: Run) -> None:
    last = takes(run.slot, _one(db, "select slot from newest where entry=?", run.entry))
    db.execute("insert or replace into claims values (?, ?, ?)", (run.entry, run.slot, run.id))
    db.execute("insert or replace into newest values (?, ?)", (run.entry, last))
    db.execute("delete from claims where entry=? and slot < ?", (run.entry, last - KEPT))


def _one(db: sqlite3.Connection, query: str, *arguments: str | int) -> Any:
    row = db.execute(query, arguments).fetchone()
    return None if row is None else row[0]
