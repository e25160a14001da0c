"""Calls share a transaction, but not their failures."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from threading import Event
from typing import Any

import pytest

from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.transactions import Transactions


@asynccontextmanager
async def transactions(statements: list[str]) -> AsyncIterator[Transactions]:
    def connect() -> sqlite3.Connection:
        db = sqlite3.connect(":memory:", isolation_level=None)
        db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
        db.set_trace_callback(statements.append)
        return db

    made = Transactions(connect, "test")
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def insert(number: int) -> Callable[[sqlite3.Connection], Any]:
    return lambda db: db.execute("INSERT INTO t VALUES (?)", (number,)).rowcount


async def gathered(made: Transactions, *works: Callable[[sqlite3.Connection], Any]) -> list[Any]:
    """Results or errors of calls that are queued while the thread is blocked."""
    go = Event()
    held = made.run(lambda db: go.wait(10), writes=False)
    calls: list[Awaitable[Any]] = [made.run(work, writes=True) for work in works]
    go.set()
    await held
    return await asyncio.gather(*calls, return_exceptions=True)


def test_calls_that_come_while_one_runs_share_a_transaction() -> None:
    async def main() -> None:
        statements: list[str] = []
        async with transactions(statements) as made:
            assert await gathered(made, *map(insert, range(100))) == [1] * 100
        assert statements.count("COMMIT") <= 2  # one, or the one of the blocking call before

    asyncio.run(main())


def test_lazy_calls_alone_do_not_wait_for_the_disk() -> None:
    async def main() -> None:
        statements: list[str] = []
        async with transactions(statements) as made:
            await made.run(insert(1), writes=True, lazy=True)
            await made.run(insert(2), writes=True, lazy=True)
            await made.run(lambda db: db.execute("SELECT 1"), writes=False)
            await made.run(insert(3), writes=True)
            await made.run(insert(4), writes=True)
        shown = [text for text in statements if text.startswith(("PRAGMA synchronous =", "INSERT"))]
        inserts = [f"INSERT INTO t VALUES ({number})" for number in range(1, 5)]
        assert shown == ["PRAGMA synchronous = normal", *inserts[:2], "PRAGMA synchronous = 2", *inserts[2:]]

    asyncio.run(main())


def test_a_call_that_fails_fails_alone() -> None:
    def bug(db: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    def refuse(db: sqlite3.Connection) -> None:
        raise StoreError("no")

    async def main() -> None:
        async with transactions([]) as made:
            results = await gathered(made, insert(1), insert(1), refuse, insert(2), bug, insert(3))
            assert [type(result) for result in results] == [int, StoreError, StoreError, int, ZeroDivisionError, int]
            assert "UNIQUE constraint failed" in str(results[1])
            rows = await made.run(lambda db: db.execute("SELECT n FROM t").fetchall(), writes=False)
            assert rows == [(1,), (2,), (3,)]

    asyncio.run(main())


def test_a_stop_finishes_queued_calls_and_refuses_later_ones() -> None:
    async def main() -> None:
        statements: list[str] = []
        async with transactions(statements) as made:
            wanted = [made.run(insert(number), writes=True) for number in range(10)]
            await made.stop()
            assert [await call for call in wanted] == [1] * 10
            with pytest.raises(StoreError, match="closed"):
                await made.run(insert(11), writes=True)
            await made.stop()

    asyncio.run(main())


def test_a_cancelled_call_does_not_block_others() -> None:
    async def main() -> None:
        async with transactions([]) as made:
            gone = made.run(insert(1), writes=True)
            gone.cancel()
            assert await made.run(insert(2), writes=True) == 1

    asyncio.run(main())
