"""The table in SQLite: on this machine, for one server or several.

Each holder locks a file of its own beside the database (``flock``). The system releases the lock when the process ends,
however it ends, so what a dead holder holds waits again at once, and a live one needs no heartbeat.

Only inserts wait for the disk. After a power loss a job may thus run again that was done a moment before, but an
accepted one is there.
"""

from __future__ import annotations

import fcntl
import glob
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, PushRefused
from pyroadrunner.plugins.jobs.drivers.sql.store import TABLE, Counts, NewRow, Row, Store, Watcher
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.sqlite_file import Synchronous, open_file, reason
from pyroadrunner.remote.transactions import Transactions

T = TypeVar("T")

PULSE = 5.0  # seconds between two looks for dead holders
_PASSING = (FileNotFoundError, sqlite3.OperationalError)  # a folder not mounted yet, a locked file, a full disk

_TABLES = (
    f"""CREATE TABLE IF NOT EXISTS {TABLE} (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        priority INTEGER NOT NULL DEFAULT 10,
        due INTEGER,
        holder INTEGER,
        job_id TEXT NOT NULL DEFAULT '',
        job TEXT NOT NULL DEFAULT '',
        payload BLOB NOT NULL DEFAULT '',
        headers TEXT NOT NULL DEFAULT '{{}}',
        auto_ack INTEGER NOT NULL DEFAULT 0
    )""",
    f"CREATE INDEX IF NOT EXISTS {TABLE}_waiting ON {TABLE} (queue, priority, id) WHERE holder IS NULL AND due IS NULL",
    f"CREATE INDEX IF NOT EXISTS {TABLE}_delayed ON {TABLE} (queue, due) WHERE holder IS NULL AND due IS NOT NULL",
    f"CREATE INDEX IF NOT EXISTS {TABLE}_held ON {TABLE} (holder, id) WHERE holder IS NOT NULL",
)
_INSERT = (
    f"INSERT INTO {TABLE} (queue, priority, due, job_id, job, payload, headers, auto_ack)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_WAITING, _DELAYED = "holder IS NULL AND due IS NULL", "holder IS NULL AND due IS NOT NULL"
_FOUND = f"SELECT id, priority, job_id, job, payload, headers, auto_ack FROM {TABLE} WHERE queue = ? AND"
_ORDER = "ORDER BY priority, id LIMIT ?"


class SqliteStore(Store):
    """The table in a file.

    Args:
        file: absolute path.
        permissions: mode of a new file.
    """

    def __init__(self, file: str, permissions: int, synchronous: Synchronous) -> None:
        self.watchers: set[Watcher] = set()
        self.broken = ""
        self.pulse = PULSE
        self._file = file
        self._permissions = permissions
        self._synchronous: Synchronous = synchronous
        self._identity = (0, 0)
        self._transactions = Transactions(self._connect, f"jobs {os.path.basename(file)}")
        self._locks: dict[int, int] = {}  # descriptors of the lock files by holder

    def __repr__(self) -> str:
        return f"SqliteStore({self._file})"

    async def open(self) -> None:
        try:
            await self._transactions.start()
        except (sqlite3.DatabaseError, OSError) as error:
            told = f"{self._file}: {reason(error, self._file)}"
            if isinstance(error, _PASSING):
                raise BrokerError(told) from error
            raise BrokerRefused(told) from error

    async def close(self) -> None:
        await self._transactions.stop()
        for descriptor in self._locks.values():
            os.close(descriptor)
        self._locks.clear()

    async def enter(self, holder: int) -> None:
        if holder not in self._locks:
            try:
                self._locks[holder] = _lock_new(self._lock_file(holder), self._permissions)
            except OSError as error:
                raise BrokerError(f"{self._lock_file(holder)}: {error.strerror}") from error

    async def leave(self, holder: int) -> None:
        await self._write(lambda db: _release_all(db, [holder]))
        descriptor = self._locks.pop(holder, None)
        if descriptor is not None:
            _remove(self._lock_file(holder))
            os.close(descriptor)

    async def tend(self, queue: str, holder: int, known: Sequence[int]) -> int:
        found, held = await self._run(lambda db: _holders(db, holder), writes=False)
        if not self._is_there():
            self._break(f"{self._file} was removed or replaced while it was in use")
            raise BrokerError(self.broken)
        strays = set(held) - set(known)
        dead = [other for other in found if other != holder and not self._lives(other)]
        returned = 0
        if strays or dead:

            def work(db: sqlite3.Connection) -> int:
                freed = f"UPDATE {TABLE} SET holder = NULL WHERE id = ? AND holder = ?"
                db.executemany(freed, [(id_, holder) for id_ in strays])
                return len(strays) + _release_all(db, dead)

            returned = await self._write(work)
        self._remove_old_locks()
        return returned

    async def insert(self, rows: Sequence[NewRow]) -> None:
        values = _values(rows)

        def work(db: sqlite3.Connection) -> None:
            db.executemany(_INSERT, values)

        await self._write(work, lazy=False)
        self._tell({row.queue for row in rows if not row.delay})

    async def delete(self, ids: Sequence[int]) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.executemany(f"DELETE FROM {TABLE} WHERE id = ?", [(id_,) for id_ in ids])

        await self._write(work)

    async def replace(self, id_: int, holder: int, row: NewRow) -> None:
        values = _values([row])

        def work(db: sqlite3.Connection) -> None:
            if db.execute(f"DELETE FROM {TABLE} WHERE id = ? AND holder = ?", (id_, holder)).rowcount:
                db.executemany(_INSERT, values)

        await self._write(work, lazy=False)
        if not row.delay:
            self._tell({row.queue})

    async def release(self, id_: int, holder: int) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute(f"UPDATE {TABLE} SET holder = NULL WHERE id = ? AND holder = ?", (id_, holder))

        await self._write(work)

    async def claim(self, queue: str, holder: int, limit: int, *, delayed: bool = False) -> Sequence[Row]:
        def find(db: sqlite3.Connection) -> list[Row]:
            rows = db.execute(f"{_FOUND} {_WAITING} {_ORDER}", (queue, limit)).fetchall()
            if delayed and len(rows) < limit:
                rows += db.execute(f"{_FOUND} {_DELAYED} {_ORDER}", (queue, limit - len(rows))).fetchall()
            return [Row(*row) for row in rows]

        def work(db: sqlite3.Connection) -> list[Row]:
            rows = find(db)
            db.executemany(f"UPDATE {TABLE} SET holder = ? WHERE id = ?", [(holder, row.id) for row in rows])
            return rows

        return await self._write(work)

    async def promote(self, queue: str) -> float | None:
        def first(db: sqlite3.Connection) -> int | None:
            found = db.execute(f"SELECT min(due) FROM {TABLE} WHERE queue = ? AND {_DELAYED}", (queue,)).fetchone()
            due: int | None = found[0]
            return due

        def work(db: sqlite3.Connection) -> int | None:
            where = f"queue = ? AND {_DELAYED} AND due <= ?"
            db.execute(f"UPDATE {TABLE} SET due = NULL WHERE {where}", (queue, _now()))
            return first(db)

        due = await self._run(first, writes=False)
        if due is not None and due <= _now():
            due = await self._write(work)
        return None if due is None else max(0.0, (due - _now()) / 1000)

    async def counts(self, queue: str) -> Counts:
        def work(db: sqlite3.Connection) -> Counts:
            def count(where: str) -> int:
                found: int = db.execute(f"SELECT count(*) FROM {TABLE} WHERE {where}", (queue,)).fetchone()[0]
                return found

            return Counts(
                waiting=count(f"queue = ? AND {_WAITING}"),
                delayed=count(f"queue = ? AND {_DELAYED}"),
                held=count("queue = ? AND holder IS NOT NULL"),
            )

        return await self._run(work, writes=False)

    # inside

    def _connect(self) -> sqlite3.Connection:
        db = open_file(self._file, self._permissions, self._synchronous)
        db.text_factory = _text  # otherwise one text of another program that is not UTF-8 would stop the queue
        try:
            for statement in _TABLES:
                db.execute(statement)
            opened = os.stat(self._file)
            self._identity = (opened.st_dev, opened.st_ino)
        except BaseException:
            db.close()
            raise
        return db

    async def _write(self, work: Callable[[sqlite3.Connection], T], *, lazy: bool = True) -> T:
        return await self._run(work, writes=True, lazy=lazy)

    async def _run(self, work: Callable[[sqlite3.Connection], T], *, writes: bool, lazy: bool = False) -> T:
        if self.broken:
            raise BrokerError(self.broken)
        try:
            return await self._transactions.run(work, writes=writes, lazy=lazy)
        except StoreError as error:
            if "malformed" in str(error) or "not a database" in str(error):
                self._break(f"{self._file}: {error}")
            if "too big" in str(error):
                raise PushRefused(f"the database can't store the job: {error}") from error
            raise BrokerError(f"{self._file}: {error}") from error
        except (OverflowError, sqlite3.InterfaceError) as error:
            raise PushRefused(f"the database can't store the job: {error}") from error

    def _break(self, why: str) -> None:
        if not self.broken:
            self.broken = why
            for watcher in list(self.watchers):
                watcher.broke(why)

    def _tell(self, queues: set[str]) -> None:
        for watcher in self.watchers:
            if watcher.queue in queues:
                watcher.arrived()

    def _is_there(self) -> bool:
        try:
            found = os.stat(self._file)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    # the locks of holders

    def _lock_file(self, holder: int) -> str:
        return f"{self._file}-holder-{holder:x}"

    def _lives(self, holder: int) -> bool:
        """Whether a holder, here or in another process, has its lock file locked."""
        if holder in self._locks:
            return True
        descriptor = _lock(self._lock_file(holder))
        if descriptor is None:
            return os.path.exists(self._lock_file(holder))
        os.close(descriptor)
        return False

    def _remove_old_locks(self) -> None:
        """Remove the lock files of dead holders. No rows are theirs: the next call finds holders that died later."""
        for path in glob.glob(f"{glob.escape(self._file)}-holder-*"):
            descriptor = _lock(path)
            if descriptor is not None:
                _remove(path)
                os.close(descriptor)


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _now() -> int:
    return time.time_ns() // 1_000_000


def _values(rows: Sequence[NewRow]) -> list[tuple[str | int | bytes | None, ...]]:
    now = _now()
    return [
        (
            row.queue,
            row.priority,
            now + row.delay * 1000 if row.delay else None,
            row.job_id,
            row.job,
            row.payload,
            row.headers,
            int(row.auto_ack),
        )
        for row in rows
    ]


def _holders(db: sqlite3.Connection, holder: int) -> tuple[list[int], list[int]]:
    """All holders of rows, and the rows of this one."""
    found = db.execute(f"SELECT DISTINCT holder FROM {TABLE} WHERE holder IS NOT NULL").fetchall()
    held = db.execute(f"SELECT id FROM {TABLE} WHERE holder = ?", (holder,)).fetchall()
    return [row[0] for row in found], [row[0] for row in held]


def _release_all(db: sqlite3.Connection, holders: Sequence[int]) -> int:
    return sum(
        db.execute(f"UPDATE {TABLE} SET holder = NULL WHERE holder = ?", (holder,)).rowcount for holder in holders
    )


def _lock_new(path: str, permissions: int) -> int:
    """Create a file and lock it; another process may remove it in between."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, permissions & 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)


def _lock(path: str) -> int | None:
    """A descriptor with the lock, if the file exists and no other process has the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
