"""The driver ``sql`` alone, on PostgreSQL and on SQLite, beside a foreign client of the same database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.plugins.jobs.drivers.contract import (
    BrokerError,
    BrokerRefused,
    BrokerStats,
    Delivery,
    PushRefused,
)
from pyroadrunner.plugins.jobs.drivers.sql import queue as queue_module
from pyroadrunner.plugins.jobs.drivers.sql import sqlite as sqlite_module
from support.job_drivers import on_the_loop
from support.postgres import PostgresServer, postgres_server
from support.tables_of_jobs import (
    PATIENCE,
    Bench,
    Database,
    PostgresDatabase,
    SqliteDatabase,
    TestHost,
    job,
    make_driver,
)
from support.tcp_proxy import TcpProxy
from support.tls import Authority

OURS = "application_name = 'roadrunner jobs'"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def postgres(server: PostgresServer) -> PostgresDatabase:
    return PostgresDatabase(server)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(sqlite_module, "PULSE", 0.3)
    if request.param == "sqlite":
        return SqliteDatabase(tmp_path)
    return PostgresDatabase(request.getfixturevalue("server"))


def ids(deliveries: list[Delivery]) -> list[str]:
    return [delivery.job.id for delivery in deliveries]


# -- the wire


@on_the_loop
async def test_a_pushed_job_is_a_row_that_others_can_read(database: Database) -> None:
    async with Bench.on(database) as bench:
        driver, _host = await bench.driver(consume=False)
        await driver.push([job("i", payload=b"\x00\xffp", headers={"h": ["1", "2"]}, priority=-3, auto_ack=True)])
    hexed = "encode(payload, 'hex')" if isinstance(database, PostgresDatabase) else "lower(hex(payload))"
    row = database.sql(f"SELECT queue, priority, due, holder, job_id, job, {hexed}, headers FROM rr_jobs")
    assert row == 'q|-3|||i|App\\Job|00ff70|{"h":["1","2"]}'
    assert database.sql("SELECT count(*) FROM rr_jobs WHERE auto_ack") == "1"


@on_the_loop
async def test_a_row_of_another_program_is_a_job(database: Database) -> None:
    async with Bench.on(database) as bench:
        _driver, host = await bench.driver(consume=False)
        await bench.driver(consume=False)
        database.sql("INSERT INTO rr_jobs (queue, payload) VALUES ('q', 'hello')")
        odd = """'{"a": "1", "b": [2, "3"], "c": []}'"""
        database.sql(f"INSERT INTO rr_jobs (queue, job, job_id, headers, priority) VALUES ('q', 'J', 'k', {odd}, 11)")
        database.sql("INSERT INTO rr_jobs (queue, job_id, headers, priority) VALUES ('q', 'l', 'no JSON', 12)")
        await _driver.consume()
        first, second, third = await host.take(3)
    assert (first.job.name, first.job.payload, first.job.priority) == ("deduced_by_rr", b"hello", 10)
    assert len(first.job.id) == 36
    assert (first.job.pipeline, first.queue, first.job.headers) == ("p", "q", {})
    assert (second.job.id, second.job.name, second.job.payload) == ("k", "J", b"")
    assert second.job.headers == {"a": ["1"], "b": ["2", "3"], "c": []}
    assert (third.job.id, third.job.headers) == ("l", {})


@on_the_loop
async def test_what_the_database_cannot_store_is_refused_alone(database: Database) -> None:
    async with Bench.on(database) as bench:
        driver, host = await bench.driver()
        with pytest.raises(PushRefused, match="the id of the job contains a null character"):
            await driver.push([job("a\0b")])
        with pytest.raises(PushRefused, match="priority"):
            await driver.push([job(priority=2**63)])
        await driver.push([job("good", headers={"h": ["\0", "\ud7ff"]})])
        (arrived,) = await host.take(1)
        assert arrived.job.headers == {"h": ["\0", "\ud7ff"]}
        assert host.why == []


@on_the_loop
async def test_values_of_any_type_do_not_stop_a_queue_in_sqlite(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path)
    async with Bench.on(database) as bench:
        driver, host = await bench.driver(consume=False)
        database.sql("INSERT INTO rr_jobs (queue, job_id, payload, priority) VALUES ('q', 1, 5, 'high')")
        database.sql("INSERT INTO rr_jobs (queue, job, headers) VALUES ('q', CAST(x'4aff' AS TEXT), x'ff')")
        await driver.push([job("good")])
        await driver.consume()
        found = await host.take(3)
    assert sorted(one.job.payload for one in found) == [b"", b"5", b"x"]
    assert [one.job.name for one in found if one.job.name.startswith("J")] == ["J\ufffd"]


# -- order


@on_the_loop
async def test_waiting_jobs_are_claimed_by_priority_then_in_order(database: Database) -> None:
    async with Bench.on(database) as bench:
        driver, host = await bench.driver(consume=False, limit=2)
        await driver.push([job(str(number), priority=number % 3) for number in range(9)])
        await driver.consume()
        order = []
        while len(order) < 9:
            (one,) = await host.take(1)
            order.append(one.job.id)
            await driver.ack(one)
            host.settled()
    assert order == ["0", "3", "6", "1", "4", "7", "2", "5", "8"]


@on_the_loop
async def test_a_released_job_keeps_its_place_and_a_requeued_one_goes_back(database: Database) -> None:
    async with Bench.on(database) as bench:
        driver, host = await bench.driver(consume=False)
        await driver.push([job("a"), job("b"), job("c")])
        a, b = await driver.take(2)
        await driver.requeue(a, {"n": ["1"]}, 0)
        await driver.release(b)
        await driver.consume()
        found = await host.take(3)
    assert ids(found) == ["b", "c", "a"]
    assert found[2].job.headers == {"n": ["1"]}


@on_the_loop
async def test_delayed_jobs_do_not_hold_up_others_and_can_be_looked_at(database: Database) -> None:
    async with Bench.on(database) as bench:
        driver, host = await bench.driver()
        await driver.push([job("late", delay=3600), job("soon", delay=1), job("now")])
        assert ids(await host.take(1)) == ["now"]
        assert await driver.stat() == BrokerStats(queue="q", active=0, delayed=2, reserved=1)
        looked = await driver.take(10)
        assert ids(list(looked)) == ["late", "soon"]
        for one in looked:
            await driver.release(one)
        assert ids(await host.take(1)) == ["soon"]
        assert await driver.stat() == BrokerStats(queue="q", active=0, delayed=1, reserved=2)


# -- several servers


@on_the_loop
async def test_two_consumers_share_a_queue_and_each_job_is_claimed_once(database: Database) -> None:
    async with Bench.on(database) as bench:
        one, first = await bench.driver(limit=20)
        two, second = await bench.driver(limit=20, lease=2.1)  # another connection
        seen: list[str] = []

        async def work(driver: Any, host: TestHost) -> None:
            while len(seen) < 500:
                for delivery in await host.take(1):
                    seen.append(delivery.job.id)
                    await driver.ack(delivery)
                    host.settled()

        works = [asyncio.create_task(work(one, first)), asyncio.create_task(work(two, second))]
        for start in range(0, 500, 50):
            await one.push([job(str(start + number)) for number in range(50)])
        await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        for task in works:
            task.cancel()
        await asyncio.wait(works)
        assert sorted(seen, key=int) == [str(number) for number in range(500)]
        assert (await one.stat()).reserved == 0


@on_the_loop
async def test_jobs_of_a_dead_consumer_come_back(database: Database) -> None:
    async with Bench.on(database) as bench:
        driver, host = await bench.driver(consume=False)
        await driver.push([job("a"), job("b")])
        database.sql("UPDATE rr_jobs SET holder = 77")
        if isinstance(database, PostgresDatabase):
            database.sql("INSERT INTO rr_jobs_holders VALUES (77, 0)")
        await driver.consume()
        assert ids(await host.take(2)) == ["a", "b"]


@on_the_loop
async def test_a_consumer_that_is_alive_keeps_its_jobs(database: Database) -> None:
    async with Bench.on(database) as bench:
        one, first = await bench.driver()
        await one.push([job("a")])
        (held,) = await first.take(1)
        other, second = await bench.driver(lease=2.1)
        await other.push([job("b"), job("c", delay=3)])  # until after the lease of the first would have ended
        arrived = [*first.arrived, *await _either(first, second)]
        assert "a" not in ids(arrived)
        await one.ack(held)


async def _either(*hosts: TestHost) -> list[Delivery]:
    """The jobs b and c, whoever gets them."""
    found: list[Delivery] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < 2:
            for host in hosts:
                found += host.arrived
                host.arrived = []
            await asyncio.sleep(0.01)
    return found


@on_the_loop
async def test_rows_that_it_holds_without_knowing_are_returned(database: Database) -> None:
    """The reply to a claim was lost, for example."""
    async with Bench.on(database) as bench:
        driver, host = await bench.driver(consume=False)
        await driver.push([job("known"), job("stray")])
        (known,) = await driver.take(1)
        holder = database.sql("SELECT holder FROM rr_jobs WHERE job_id = 'known'")
        database.sql(f"UPDATE rr_jobs SET holder = {holder} WHERE job_id = 'stray'")
        await driver.consume()
        assert ids(await host.take(1)) == ["stray"]
        await driver.ack(known)


@on_the_loop
async def test_a_job_that_another_server_has_got_meanwhile_is_not_copied(database: Database) -> None:
    async with Bench.on(database) as bench:
        driver, _host = await bench.driver(consume=False)
        await driver.push([job("a")])
        (taken,) = await driver.take(1)
        database.sql("UPDATE rr_jobs SET holder = NULL")
        await driver.redeliver(taken, 0)
        assert database.sql("SELECT job_id, headers FROM rr_jobs") == "a|{}"


@on_the_loop
async def test_what_is_held_at_the_end_waits_again(database: Database) -> None:
    async with Bench.on(database) as bench:
        driver, host = await bench.driver()
        await driver.push([job("a")])
        await host.take(1)
        await driver.disconnect()
        assert database.sql("SELECT count(*) FROM rr_jobs WHERE holder IS NULL") == "1"
        if isinstance(database, PostgresDatabase):
            assert database.sql("SELECT count(*) FROM rr_jobs_holders") == "0"
        else:
            assert isinstance(database, SqliteDatabase)
            assert [file.name for file in database.file.parent.iterdir()] == [database.file.name]


# -- faults


@on_the_loop
async def test_a_removed_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_module, "PULSE", 0.05)
    database = SqliteDatabase(tmp_path)
    async with Bench.on(database) as bench:
        driver, host = await bench.driver(consume=False)
        database.file.unlink()
        assert await host.wait_lost() == f"{database.file} was removed or replaced while it was in use"
        with pytest.raises(BrokerError):
            await driver.push([job()])
        await driver.disconnect()
        await driver.connect()
        await driver.push([job("a")])
    assert database.sql("SELECT job_id FROM rr_jobs") == "a"


@on_the_loop
async def test_a_bug_of_the_feeder_does_not_stop_the_pipeline_silently(tmp_path: Path) -> None:
    def bug(delivery: Delivery) -> None:
        raise ZeroDivisionError(delivery.job.id)

    async with Bench.on(SqliteDatabase(tmp_path)) as bench:
        driver, host = await bench.driver(consume=False)
        host.deliver = bug  # type: ignore[method-assign]
        await driver.push([job("a")])
        await driver.consume()
        assert await host.wait_lost() == "ZeroDivisionError: a"


@pytest.mark.parametrize("content", [b"no database" * 100, b"\0" * 16 + b"\xed\xda\x0c\xed" + b"\0" * 4076])
@on_the_loop
async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    database = SqliteDatabase(tmp_path)
    database.file.write_bytes(content)
    driver = make_driver(database, TestHost("p", 1))
    with pytest.raises(BrokerRefused, match=r"not an SQLite database|a BoltDB file of RoadRunner"):
        await driver.connect()
    await driver.disconnect()
    assert database.file.read_bytes() == content


@on_the_loop
async def test_a_job_that_ends_after_a_reconnection_is_settled(postgres: PostgresDatabase) -> None:
    async with Bench.on(postgres) as bench:
        driver, host = await bench.driver()
        await driver.push([job("a"), job("b")])
        a, b = await host.take(2)
        postgres.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'roadrunner jobs'"
        )
        await host.wait_lost()
        with pytest.raises(BrokerError):
            await driver.ack(b)
        await driver.disconnect()
        await driver.connect()
        await driver.consume()
        await driver.ack(a)
        await driver.push([job("c")])
        assert ids(await host.take(1)) == ["c"]
        assert postgres.sql("SELECT job_id FROM rr_jobs") == "c"  # b was known to be done


@on_the_loop
async def test_a_network_that_loses_everything_is_noticed(postgres: PostgresDatabase) -> None:
    with TcpProxy(postgres.server.port) as proxy:
        dsn = postgres.dsn.replace(str(postgres.server.port), str(proxy.port))
        async with Bench.on(postgres) as bench:
            driver, host = await bench.driver(dsn=dsn)
            await driver.push([job("a")])
            (held,) = await host.take(1)
            proxy.hold()
            assert await host.wait_lost() == "the database did not answer in time"
            proxy.cut(refuse=True)
            await driver.disconnect()
            with pytest.raises(BrokerError):
                await driver.connect()
            await driver.disconnect()
            proxy.flow()
            proxy.accept()
            await driver.connect()
            await driver.ack(held)
            assert await driver.stat() == BrokerStats(queue="q")


@on_the_loop
async def test_a_server_that_became_read_only_is_left(postgres: PostgresDatabase) -> None:
    """As after a failover: the address may lead to another server now."""
    async with Bench.on(postgres) as bench:
        driver, host = await bench.driver(consume=False)
        await driver._store._db.execute("SET default_transaction_read_only = on")  # type: ignore[union-attr]
        with pytest.raises(BrokerError, match="read-only"):
            await driver.push([job("a")])
        assert "read-only" in await host.wait_lost()


@on_the_loop
async def test_notifications_wake_other_servers(postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "POLL", 3600.0)
    async with Bench.on(postgres) as bench:
        _one, host = await bench.driver()
        other, _host = await bench.driver(consume=False, lease=2.1)  # another connection
        await other.push([job("a")])
        assert ids(await host.take(1)) == ["a"]
        postgres.sql("INSERT INTO rr_jobs (queue, job_id) VALUES ('q', 'b'); NOTIFY rr_jobs, 'q'")
        assert ids(await host.take(1)) == ["b"]


@on_the_loop
async def test_without_notifications_they_look_once_a_second(postgres: PostgresDatabase) -> None:
    async with Bench.on(postgres) as bench:
        _one, host = await bench.driver(notify=False)
        other, _host = await bench.driver(consume=False, lease=2.1, notify=False)
        await other.push([job("a")])
        assert ids(await host.take(1)) == ["a"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [("/jobs", "/nothing", "does not exist"), ("//postgres@", "//stranger@", 'role "stranger" does not exist')],
)
@on_the_loop
async def test_a_refused_login_says_why(postgres: PostgresDatabase, before: str, after: str, words: str) -> None:
    driver = make_driver(postgres, TestHost("p", 1), dsn=postgres.dsn.replace(before, after))
    with pytest.raises(BrokerRefused, match=words):
        await driver.connect()
    await driver.disconnect()


@on_the_loop
async def test_a_role_without_the_right_to_create_uses_existing_tables(postgres: PostgresDatabase) -> None:
    role = f"app_{postgres.name}"
    postgres.sql(f"CREATE ROLE {role} LOGIN")
    dsn = postgres.dsn.replace("//postgres@", f"//{role}@")
    driver = make_driver(postgres, TestHost("p", 1), dsn=dsn)
    with pytest.raises(BrokerRefused, match="permission denied"):
        await driver.connect()
    await driver.disconnect()
    async with Bench.on(postgres) as bench:
        await bench.driver(consume=False)
        postgres.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        postgres.sql(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
        driver, host = await bench.driver(dsn=dsn)
        await driver.push([job("a")])
        assert ids(await host.take(1)) == ["a"]


@on_the_loop
async def test_many_servers_may_create_the_tables_at_once(postgres: PostgresDatabase) -> None:
    drivers = [make_driver(postgres, TestHost("p", 1), lease=2.0 + number / 10) for number in range(5)]
    try:
        await asyncio.gather(*(driver.connect() for driver in drivers))
    finally:
        for driver in drivers:
            await driver.disconnect()


@on_the_loop
async def test_tls_checks_the_server(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    identity = authority.server()
    with postgres_server(tmp_path, tls=identity) as server:
        database = PostgresDatabase(server)
        trusted = f"{database.dsn}?sslmode=verify-full&sslrootcert={authority.root}"
        async with Bench.on(database) as bench:
            driver, host = await bench.driver(dsn=trusted)
            await driver.push([job("a")])
            assert ids(await host.take(1)) == ["a"]
            assert (
                database.sql(f"SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND {OURS}")
                == "1"
            )
        driver = make_driver(database, TestHost("p", 1), dsn=trusted.replace(str(authority.root), str(other.root)))
        with pytest.raises(BrokerError, match="certificate verify failed"):
            await driver.connect()
        await driver.disconnect()
