"""Rows and jobs, shared stores, and the settings of the drivers that keep jobs in tables."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.plugins.jobs.declaration import read_declaration
from pyroadrunner.plugins.jobs.drivers.boltdb.config import DRIVER as BOLTDB
from pyroadrunner.plugins.jobs.drivers.boltdb.config import BoltdbConfig
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, Job, PushRefused
from pyroadrunner.plugins.jobs.drivers.sql.config import DRIVER as SQL
from pyroadrunner.plugins.jobs.drivers.sql.config import SqlConfig
from pyroadrunner.plugins.jobs.drivers.sql.postgres import PostgresStore
from pyroadrunner.plugins.jobs.drivers.sql.shared import SharedStores
from pyroadrunner.plugins.jobs.drivers.sql.store import NewRow, Row, job_of, new_row
from pyroadrunner.plugins.jobs.errors import BadDeclaration


def test_a_job_becomes_a_row_and_a_row_a_job() -> None:
    pushed = Job(id="i", name="J", payload=b"\xff", headers={"h": ["1", "é"]}, priority=3, delay=5, auto_ack=True)
    row = new_row("q", pushed)
    assert row == NewRow("q", 3, 5, "i", "J", b"\xff", '{"h":["1","é"]}', True)
    found = job_of(Row(7, row.priority, row.job_id, row.job, row.payload, row.headers, True), "p")
    assert found == Job(
        id="i", name="J", payload=b"\xff", headers={"h": ["1", "é"]}, pipeline="p", priority=3, auto_ack=True
    )


@pytest.mark.parametrize("bad", [{"id": "\0"}, {"name": "a\0"}, {"priority": 2**63}, {"priority": -(2**63) - 1}])
def test_jobs_that_no_database_can_store_are_refused(bad: dict[str, str | int]) -> None:
    with pytest.raises(PushRefused):
        new_row("q", Job(**{"id": "i", "name": "J", "payload": b"", **bad}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("{}", {}),
        ("", {}),
        ("[1]", {}),
        ('{"a": "1", "b": [], "c": null, "d": [2, true]}', {"a": ["1"], "b": [], "c": ["null"], "d": ["2", "true"]}),
        ('{"a": {"b": 1}}', {}),
        ("[" * 100_000, {}),
        ('{"a": ' + "[" * 100_000, {}),
        ('{"a": "\\ud800"}', {}),
        ("{\ud800}", {}),
    ],
)
def test_headers_of_other_programs_are_understood_or_left_out(text: str, headers: dict[str, list[str]]) -> None:
    assert job_of(Row(1, 10, "i", "J", b"", text, False), "p").headers == headers


@pytest.mark.parametrize(("declared", "mode"), [("493", 0o755), ("0755", 0o755), ("384", 0o600), ("0", 0)])
def test_modes_of_declarations(declared: str, mode: int) -> None:
    config = read_declaration("boltdb", BOLTDB, {"permissions": declared}).config
    assert isinstance(config, BoltdbConfig)
    assert config.permissions == mode


def test_what_php_declares() -> None:
    config = read_declaration("boltdb", BOLTDB, {"file": "a.db", "prefetch": "10000", "priority": "3"}).config
    assert config == BoltdbConfig(file="a.db", prefetch=10_000, priority=3)


def test_declared_addresses_are_checked() -> None:
    config = read_declaration("sql", SQL, {"queue": "q", "dsn": "sqlite:///a.db"}).config
    assert config == SqlConfig(queue="q", dsn="sqlite:///a.db")
    with pytest.raises(BadDeclaration, match="dsn"):
        read_declaration("sql", SQL, {"dsn": "mysql://localhost"})


class FakeStore:
    """Counts how often it is opened and closed."""

    def __init__(self, error: BrokerError | None = None) -> None:
        self.broken = ""
        self.opened = self.closed = 0
        self._error = error

    async def open(self) -> None:
        await asyncio.sleep(0)
        self.opened += 1
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        self.closed += 1


def test_users_of_one_database_share_a_store() -> None:
    async def main() -> None:
        shared, made = SharedStores(), [FakeStore(), FakeStore(), FakeStore()]
        rest = iter(made)
        one, two = await asyncio.gather(*(shared.acquire("k", lambda: next(rest)) for _ in range(2)))
        other = await shared.acquire("other", lambda: next(rest))
        assert one is two is made[0]
        assert other is made[1]
        await shared.release(one)
        assert made[0].closed == 0
        await shared.release(two)
        assert (made[0].opened, made[0].closed) == (1, 1)
        assert await shared.acquire("k", lambda: next(rest)) is made[2]

    asyncio.run(main())


def test_a_broken_store_is_replaced_and_closed_by_its_last_user() -> None:
    async def main() -> None:
        shared, made = SharedStores(), [FakeStore(), FakeStore()]
        rest = iter(made)
        one = await shared.acquire("k", lambda: next(rest))
        await shared.acquire("k", lambda: next(rest))
        made[0].broken = "lost"
        assert await shared.acquire("k", lambda: next(rest)) is made[1]
        await shared.release(one)
        assert made[0].closed == 0
        await shared.release(one)
        assert (made[0].closed, made[1].closed) == (1, 0)

    asyncio.run(main())


def test_a_store_that_cannot_be_opened_is_closed_and_tried_again() -> None:
    async def main() -> None:
        shared, bad, good = SharedStores(), FakeStore(BrokerError("away")), FakeStore()
        with pytest.raises(BrokerError):
            await shared.acquire("k", lambda: bad)
        assert bad.closed == 1
        assert await shared.acquire("k", lambda: good) is good

    asyncio.run(main())


class FakeWatcher:
    def __init__(self, queue: str, spare: int) -> None:
        self.queue = queue
        self.spare = spare


def test_other_servers_are_told_of_what_this_one_does_not_take_at_once() -> None:
    store = PostgresStore("postgresql://", 30.0, notify=True)
    assert store._to_notify({"a": 1}) == ["a"]
    store.watchers |= {FakeWatcher("a", 2), FakeWatcher("a", 1), FakeWatcher("b", 0)}
    assert store._to_notify({"a": 3, "b": 1}) == ["b"]
    assert store._to_notify({"a": 4}) == ["a"]
