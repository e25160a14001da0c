"""Updates in a file.

A published update is committed before its publisher gets the id, so the server may be killed at any time. A second
process may use the file for a moment, while it replaces this one (SIGUSR2): sequences are the file's own, and updates
of the other process are noticed by the holes that they leave.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from functools import partial

from pyroadrunner.plugins.mercure.config import SqliteConfig
from pyroadrunner.plugins.mercure.stores.contract import Deliver, Reset
from pyroadrunner.plugins.mercure.stores.local import LocalSubscriptions
from pyroadrunner.plugins.mercure.stores.record import pack, unpack
from pyroadrunner.plugins.mercure.update import EARLIEST, Update
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.sqlite_file import open_file, reason
from pyroadrunner.remote.transactions import Transactions

_TABLES = (
    "CREATE TABLE IF NOT EXISTS updates"
    " (sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, record BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS updates_id ON updates (id, sequence)",
)
_INSERT = "INSERT INTO updates (id, record) VALUES (?, ?)"
_TRIM = "DELETE FROM updates WHERE sequence <= ?"
_FIND = "SELECT sequence FROM updates WHERE id = ? ORDER BY sequence LIMIT 1"
_READ = "SELECT sequence, record FROM updates WHERE sequence > ? ORDER BY sequence LIMIT ?"
_BETWEEN = "SELECT sequence, record FROM updates WHERE sequence > ? AND sequence < ? ORDER BY sequence"
_LAST = "SELECT id FROM updates ORDER BY sequence DESC LIMIT 1"
_COUNTED = "SELECT seq FROM sqlite_sequence WHERE name = 'updates'"


class SqliteStore(LocalSubscriptions):
    """Implements :class:`~pyroadrunner.plugins.mercure.stores.contract.Store`.

    Args:
        size: updates to keep; 0 = all.
    """

    def __init__(self, config: SqliteConfig, size: int) -> None:
        super().__init__()
        self._config = config
        self._file = os.path.abspath(config.file)
        self._size = size
        self._transactions = Transactions(self._open, f"mercure {config.file}")
        self._deliver: Deliver = lambda _: None
        self._inserted = 0  # the newest sequence that this process has seen; of the thread
        self.error = ""
        self.position = 0

    def __repr__(self) -> str:
        return f"SqliteStore({self._file}, position={self.position})"

    async def start(self, deliver: Deliver, reset: Reset) -> None:
        self._deliver = deliver
        try:
            await self._transactions.start()
            self.position = self._inserted = await self._transactions.run(_counted, writes=False)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self._file}: {reason(error, self._file)}") from error

    async def stop(self) -> None:
        await self._transactions.stop()

    async def append(self, update: Update) -> None:
        record = pack(update)
        kept = self._transactions.run(partial(self._insert, update.id, record), writes=True)
        # By a callback, in the order of the commits: the task of the caller may be cancelled.
        kept.add_done_callback(partial(self._kept, update))
        try:
            await asyncio.shield(kept)
        except StoreError as error:
            self.error = str(error)
            raise
        self.error = ""

    async def find(self, identity: str) -> int | None:
        def work(db: sqlite3.Connection) -> int | None:
            row = db.execute(_FIND, (identity,)).fetchone()
            return row[0] if row else None

        return await self._transactions.run(work, writes=False)

    async def read(self, after: int, count: int) -> Sequence[Update]:
        rows = await self._transactions.run(
            lambda db: db.execute(_READ, (after, count)).fetchall(),
            writes=False,
        )
        return [unpack(record, sequence) for sequence, record in rows]

    async def last_id(self) -> str:
        row = await self._transactions.run(lambda db: db.execute(_LAST).fetchone(), writes=False)
        return row[0] if row else EARLIEST

    # -- private -----------------------------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        db = open_file(self._file, self._config.permissions, self._config.synchronous)
        try:
            for statement in _TABLES:
                db.execute(statement)
        except BaseException:
            db.close()
            raise
        return db

    def _insert(self, identity: str, record: bytes, db: sqlite3.Connection) -> tuple[int, list[tuple[int, bytes]]]:
        """Keep an update; returns its sequence, and what another process has published before."""
        sequence = db.execute(_INSERT, (identity, record)).lastrowid
        assert sequence is not None
        before: list[tuple[int, bytes]] = []
        if sequence != self._inserted + 1:
            # After a rollback sequences come again: then begin with what was delivered.
            before = db.execute(_BETWEEN, (min(self._inserted, self.position), sequence)).fetchall()
        self._inserted = sequence
        if self._size:
            db.execute(_TRIM, (sequence - self._size,))
        return sequence, before

    def _kept(self, update: Update, kept: asyncio.Future[tuple[int, list[tuple[int, bytes]]]]) -> None:
        if kept.cancelled() or kept.exception() is not None:
            return
        update.sequence, before = kept.result()
        for sequence, record in before:
            self._give(unpack(record, sequence))
        self._give(update)

    def _give(self, update: Update) -> None:
        if update.sequence > self.position:
            self.position = update.sequence
            self._deliver(update)


def _counted(db: sqlite3.Connection) -> int:
    row = db.execute(_COUNTED).fetchone()
    return row[0] if row else 0
