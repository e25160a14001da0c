"""SQLite in one thread: concurrent calls share a transaction and are acknowledged when it is committed.

A commit that waits for the disk takes milliseconds, so it is shared: calls that arrive during a commit go into the next
transaction. A failed batch is rolled back and its calls are repeated one by one, so that each fails or succeeds on its
own. The event loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from pyroadrunner.remote.errors import StoreError

MOST = 1000  # calls per transaction

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]


class QueuedCall(NamedTuple):
    """One call: its work and the future of its result. ``work`` must raise ``StoreError`` before it writes anything."""

    work: Work
    future: asyncio.Future[Any]
    writes: bool
    lazy: bool


class Transactions:
    """The thread and its database connection.

    Args:
        connect: opens the database; called in the thread. The connection is in autocommit mode.
        name: name of the thread.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], name: str) -> None:
        self._connect = connect
        self._name = name
        self._queued: SimpleQueue[QueuedCall | None] = SimpleQueue()
        self._thread: Thread | None = None

    async def start(self) -> None:
        """Open the database.

        Raises:
            sqlite3.Error, OSError: what ``connect`` raised.
        """
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = Thread(target=self._run_thread, args=(opened,), name=self._name, daemon=True)
        self._thread.start()
        await opened

    async def stop(self) -> None:
        """Finish queued calls and close the database. Idempotent."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            self._queued.put(None)
            await asyncio.to_thread(thread.join)

    def run(self, work: Callable[[sqlite3.Connection], T], *, writes: bool, lazy: bool = False) -> asyncio.Future[T]:
        """Run ``work`` in the thread; the future has its result after the commit.

        Args:
            lazy: a power loss may undo it: a transaction of such calls alone does not wait for the disk. The next one
                with another call flushes it as well.

        Raises (when awaited):
            StoreError: raised by ``work``, or with the message of SQLite.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        if self._thread is None:
            future.set_exception(StoreError("the storage is closed"))
        else:
            self._queued.put(QueuedCall(work, future, writes, lazy))
        return future

    # in the thread

    def _run_thread(self, opened: asyncio.Future[None]) -> None:
        try:
            batches = _Batches(self._connect())
        except (sqlite3.Error, OSError) as error:
            self._loop.call_soon_threadsafe(_settle, [(opened, None, error)])
            return
        self._loop.call_soon_threadsafe(_settle, [(opened, None, None)])
        going_on = True
        while going_on:
            batch = self._gather()
            going_on = batch[-1] is not None
            calls = [wanted for wanted in batch if wanted is not None]
            if calls:
                self._loop.call_soon_threadsafe(_settle, batches.do(calls))
        batches.close()

    def _gather(self) -> list[QueuedCall | None]:
        """The queued calls, at least one; ends with ``None`` after the last call."""
        batch = [self._queued.get()]
        try:
            while batch[-1] is not None and len(batch) < MOST:
                batch.append(self._queued.get_nowait())
        except Empty:
            pass
        return batch


Outcome = tuple[asyncio.Future[Any], Any, Exception | None]


class _Batches:
    """The connection, and how its commits are flushed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._strict: int = connection.execute("PRAGMA synchronous").fetchone()[0]
        self._lazy = False

    def do(self, calls: list[QueuedCall]) -> list[Outcome]:
        try:
            return self._together(calls)
        except Exception as error:  # also bugs: the thread must survive for other calls
            if len(calls) == 1:
                told = StoreError(str(error)) if isinstance(error, sqlite3.Error) else error
                return [(calls[0].future, None, told)]
            return [outcome for call in calls for outcome in self.do([call])]

    def close(self) -> None:
        self._connection.close()

    def _together(self, calls: list[QueuedCall]) -> list[Outcome]:
        connection = self._connection
        writes = any(call.writes for call in calls)
        try:
            if writes:
                self._flush(all(call.lazy for call in calls if call.writes))
            # Reads need a transaction too: all their selects must see the same snapshot.
            connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            outcomes = [_one(connection, call) for call in calls]
            connection.execute("COMMIT")
            return outcomes
        except BaseException:
            if connection.in_transaction:  # SQLite rolls back on its own after some errors, such as a full disk
                connection.execute("ROLLBACK")
            raise

    def _flush(self, lazy: bool) -> None:
        """Set whether the next commit waits for the disk."""
        if lazy != self._lazy:
            self._connection.execute(f"PRAGMA synchronous = {'normal' if lazy else self._strict}")
            self._lazy = lazy


def _one(connection: sqlite3.Connection, call: QueuedCall) -> Outcome:
    try:
        return call.future, call.work(connection), None
    except StoreError as error:
        return call.future, None, error


def _settle(outcomes: Iterable[Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():  # the call was cancelled
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
