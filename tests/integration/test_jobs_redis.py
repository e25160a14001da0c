"""The driver ``redis`` with a real Redis: alone, as a cluster, behind sentinels; more is in tests/conformance/jobs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trustme
from redis import Redis

from pyroadrunner.plugins.jobs.drivers.contract import (
    ATTEMPTS,
    FOREIGN,
    BrokerError,
    BrokerRefused,
    BrokerStats,
    Delivery,
    PushRefused,
)
from pyroadrunner.plugins.jobs.drivers.redis import driver as driver_module
from pyroadrunner.plugins.jobs.drivers.redis.config import RedisJobsConfig
from pyroadrunner.plugins.jobs.drivers.redis.driver import RedisDriver
from pyroadrunner.remote.redis.config import RedisConfig, TlsConfig
from support.job_drivers import PATIENCE, OpenHost, job, on_the_loop
from support.redis import RedisServer, redis_cluster, redis_sentinel, redis_server
from support.tcp_proxy import TcpProxy

_QUEUES = (f"queue-{number}" for number in count())


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[RedisServer]]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture
def client(broker: RedisServer) -> Iterator[Redis]:
    """A client that is not the driver's."""
    with Redis(port=broker.port) as found:
        yield found


@pytest.fixture
def queue() -> str:
    return next(_QUEUES)


@asynccontextmanager
async def connected(
    queue: str, *addresses: str, consumes: bool = True, section: RedisConfig | None = None, **keys: Any
) -> AsyncIterator[tuple[RedisDriver, OpenHost]]:
    host = OpenHost()
    driver = RedisDriver(host, RedisJobsConfig(queue=queue, **keys), section or RedisConfig(addrs=list(addresses)))
    try:
        await driver.connect()
        if consumes:
            await driver.consume()
        yield driver, host
    finally:
        await driver.disconnect()


async def settle(driver: RedisDriver, deliveries: list[Delivery]) -> None:
    for delivery in deliveries:
        await driver.ack(delivery)


@on_the_loop
async def test_another_client_reads_what_was_pushed(broker: RedisServer, client: Redis, queue: str) -> None:
    async with connected(queue, broker.address, consumes=False) as (driver, _):
        await driver.push([job("ID", b"payload", priority=7, headers={"h": ["1", "2"]})])
    ((_, fields),) = client.xrange(f"rr.jobs:{{{queue}}}")
    assert fields == {
        b"id": b"ID",
        b"job": b"J",
        b"payload": b"payload",
        b"pipeline": b"p",
        b"priority": b"7",
        b"headers": b'{"h":["1","2"]}',
    }


@on_the_loop
async def test_jobs_of_other_clients_arrive(broker: RedisServer, client: Redis, queue: str) -> None:
    client.xadd(f"rr.jobs:{{{queue}}}", {"user": "7"})
    client.xadd(f"rr.jobs:{{{queue}}}", {"job": "App\\Job", "payload": b"\xff", "tenant": "7"})
    async with connected(queue, broker.address) as (driver, host):
        bare, job = found = await host.wait(2)
        assert (bare.job.name, bare.job.payload, bare.queue) == (FOREIGN, b'{"user": "7"}', queue)
        assert (job.job.name, job.job.payload, job.job.headers) == ("App\\Job", b"\xff", {"tenant": ["7"]})
        await settle(driver, found)
    assert client.xlen(f"rr.jobs:{{{queue}}}") == 0


@on_the_loop
async def test_a_full_queue_takes_what_fits(broker: RedisServer, queue: str) -> None:
    async with connected(queue, broker.address, consumes=False, max_items=3) as (driver, _):
        await driver.push([job("1", delay=60)])
        with pytest.raises(PushRefused, match=r"full: it holds max_items \(3\)"):
            await driver.push([job("2"), job("3"), job("4")])
        assert await driver.stat() == BrokerStats(queue=f"rr.jobs:{{{queue}}}", active=2, delayed=1)


@on_the_loop
async def test_jobs_of_a_silent_server_are_taken_over_as_one_more_attempt(broker: RedisServer, queue: str) -> None:
    async with connected(queue, broker.address, visibility_timeout=1.0) as (silent, lost):
        await silent.push([job("1"), job("2")])
        first, _ = await lost.wait(2)
        await silent.cancel()
        for task in silent._tasks:  # it touches its jobs no more
            task.cancel()
        async with connected(queue, broker.address, visibility_timeout=1.0) as (driver, host):
            one, two = found = await host.wait(2)
            assert [delivery.job.id for delivery in found] == ["1", "2"]
            assert (one.earlier, one.failed_attempts()) == (1, 1)
            with pytest.raises(BrokerError, match="another server has taken the job over"):
                await silent.redeliver(first, 0)
            with pytest.raises(BrokerError, match="another server has taken the job over"):
                await silent.release(first)
            await settle(driver, [one, two])
            assert (await driver.stat()).active == 0


@on_the_loop
async def test_a_job_that_outlives_its_time_stays_with_its_server(broker: RedisServer, queue: str) -> None:
    async with connected(queue, broker.address, visibility_timeout=2.0) as (driver, host):
        await driver.push([job()])
        held = await host.wait(1)
        async with connected(queue, broker.address, visibility_timeout=2.0) as (_, other):
            await asyncio.sleep(3.1)
            assert other.arrived == []
        await settle(driver, held)


@on_the_loop
async def test_a_delivery_that_the_pipeline_forgets_comes_back(broker: RedisServer, queue: str) -> None:
    async with connected(queue, broker.address, visibility_timeout=1.0) as (driver, host):
        await driver.push([job()])
        await host.wait(1)  # and nothing refers to it any more
        (again,) = await host.wait(1)
        assert (again.job.id, again.earlier) == ("1", 1)
        await settle(driver, [again])


@on_the_loop
async def test_released_jobs_come_first_in_their_order_and_count_no_attempt(broker: RedisServer, queue: str) -> None:
    async with connected(queue, broker.address, consumes=False) as (driver, host):
        await driver.push([job(str(number)) for number in range(5)])
        for _ in range(2):
            taken = await driver.take(3)
            assert [delivery.job.id for delivery in taken] == ["0", "1", "2"]
            assert (await driver.stat()).reserved == 3
            for delivery in reversed(taken):
                await driver.release(delivery)
            assert await driver.stat() == BrokerStats(queue=f"rr.jobs:{{{queue}}}", active=5)
        await driver.consume()
        found = await host.wait(5)
        assert [(one.job.id, one.earlier) for one in found] == [(str(number), 0) for number in range(5)]
        await settle(driver, found)


@on_the_loop
async def test_a_failed_job_is_replaced_by_its_copy(broker: RedisServer, client: Redis, queue: str) -> None:
    async with connected(queue, broker.address) as (driver, host):
        await driver.push([job(headers={"h": ["1"]})])
        (first,) = await host.wait(1)
        await driver.redeliver(first, 1)
        assert await driver.stat() == BrokerStats(queue=f"rr.jobs:{{{queue}}}", delayed=1)
        (second,) = await host.wait(1)
        assert second.job.headers["h"] == ["1"]
        assert second.job.headers[ATTEMPTS] == ["1"]
        await driver.requeue(second, {"h": ["2"]}, 0)
        (third,) = await host.wait(1)
        assert third.job.headers["h"] == ["2"]
        await driver.nack(third)
    assert client.xlen(f"rr.jobs:{{{queue}}}") == 0


@on_the_loop
async def test_equal_jobs_with_one_due_time_are_all_kept(broker: RedisServer, queue: str) -> None:
    async with connected(queue, broker.address) as (driver, host):
        await driver.push([job("same", delay=1)] * 50)
        found = await host.wait(50)
        await settle(driver, found)


@on_the_loop
async def test_a_pause_is_quick_and_loses_nothing(
    broker: RedisServer, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "_EVERY", 60.0)
    async with connected(queue, broker.address) as (driver, host):
        await asyncio.sleep(0.1)  # it waits for entries
        async with asyncio.timeout(20):
            await driver.cancel()
            await driver.cancel()
        await driver.push([job()])
        (found,) = await driver.take(10)
        await driver.release(found)
        await driver.consume()
        assert [one.job.id for one in await host.wait(1)] == ["1"]


@on_the_loop
async def test_what_was_on_its_way_when_the_connection_broke_is_given_back(broker: RedisServer, queue: str) -> None:
    with TcpProxy(broker.port) as proxy:
        async with connected(queue, f"127.0.0.1:{proxy.port}", visibility_timeout=600.0) as (driver, host):
            await driver.push([job("held")])
            held = await host.wait(1)
            await asyncio.sleep(0.05)
            proxy.hold()
            async with connected(queue, broker.address, consumes=False) as (other, _):
                await other.push([job("lost")])
                await sent(other, 2)
            proxy.cut()
            proxy.flow()
            await host.wait_lost()
            await driver.disconnect()
            await driver.connect()
            await driver.consume()
            (found,) = await host.wait(1)
            assert (found.job.id, found.earlier) == ("lost", 0)
            await settle(driver, [*held, found])


@on_the_loop
async def test_a_redis_that_hangs_counts_as_lost(broker: RedisServer, queue: str) -> None:
    section = RedisConfig(addrs=[broker.address], read_timeout=0.3)
    async with connected(queue, section=section, consumes=False) as (driver, host):
        with broker.hanging():
            with pytest.raises(BrokerError, match=r"no answer within 0\.3 s"):
                await driver.push([job()])
            assert "no answer" in await host.wait_lost()


@on_the_loop
async def test_deleted_keys_are_made_again(broker: RedisServer, client: Redis, queue: str) -> None:
    async with connected(queue, broker.address) as (driver, host):
        client.delete(f"rr.jobs:{{{queue}}}")
        await host.wait_lost()
        await driver.disconnect()
        await driver.connect()
        await driver.consume()
        await driver.push([job()])
        await settle(driver, await host.wait(1))


@on_the_loop
async def test_a_script_that_was_flushed_is_loaded_again(broker: RedisServer, client: Redis, queue: str) -> None:
    async with connected(queue, broker.address, consumes=False) as (driver, host):
        client.script_flush()
        with pytest.raises(BrokerError, match="NOSCRIPT"):
            await driver.push([job()])
        await host.wait_lost()
        await driver.disconnect()
        await driver.connect()
        await driver.push([job()])


@on_the_loop
async def test_consumers_of_ended_servers_are_forgotten(broker: RedisServer, client: Redis, queue: str) -> None:
    key = f"rr.jobs:{{{queue}}}"
    async with connected(queue, broker.address) as (driver, host):
        await driver.push([job()])
        await host.wait(1)
        assert len(client.xinfo_consumers(key, "rr")) == 1
        assert await driver._connected().run("tidy", 0) == 0  # itself
    async with connected(queue, broker.address, consumes=False) as (driver, _):
        await driver.take(1)
        client.xgroup_createconsumer(key, "rr", "ended")
        assert await driver._connected().run("tidy", 0) == 1


@on_the_loop
async def test_keys_of_another_kind_are_refused(broker: RedisServer, client: Redis, queue: str) -> None:
    client.set(f"rr.jobs:{{{queue}}}", "text")
    with pytest.raises(BrokerRefused, match="WRONGTYPE"):
        async with connected(queue, broker.address):
            pass


@on_the_loop
async def test_a_wrong_password_is_refused(tmp_path: Path, queue: str) -> None:
    with redis_server(tmp_path, "--requirepass", "secret") as server:
        for password in ("", "wrong"):
            section = RedisConfig(addrs=[server.address], password=password)
            with pytest.raises(BrokerRefused, match=r"NOAUTH|WRONGPASS"):
                async with connected(queue, section=section):
                    pass
        async with connected(queue, redis=RedisConfig(addrs=[server.address], password="secret")) as (driver, host):
            await driver.push([job()])
            await settle(driver, await host.wait(1))


@on_the_loop
async def test_tls(tmp_path: Path, queue: str) -> None:
    authority, other = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    pem = str(tmp_path / "server.pem")
    options = ("--tls-cert-file", pem, "--tls-key-file", pem, "--tls-ca-cert-file", str(tmp_path / "ca.pem"))
    with redis_server(tmp_path, *options, "--tls-auth-clients", "no", tls=True) as server:
        trusted = RedisConfig(addrs=[server.address], tls=TlsConfig(root_ca=str(tmp_path / "ca.pem")))
        async with connected(queue, section=trusted) as (driver, host):
            await driver.push([job()])
            await settle(driver, await host.wait(1))
        distrusted = RedisConfig(addrs=[server.address], tls=TlsConfig(root_ca=str(tmp_path / "other.pem")))
        with pytest.raises(BrokerError, match="certificate"):
            async with connected(queue, section=distrusted):
                pass
        missing = RedisConfig(addrs=[server.address], tls=TlsConfig(root_ca=str(tmp_path / "none.pem")))
        with pytest.raises(BrokerRefused, match=r"none\.pem"):
            async with connected(queue, section=missing):
                pass


@on_the_loop
async def test_queues_of_a_cluster_are_on_all_its_servers(cluster: Sequence[RedisServer]) -> None:
    addresses = [server.address for server in cluster]
    for number in range(12):
        async with connected(f"q{number}", *addresses) as (driver, host):
            await driver.push([job("1"), job("2", delay=1)])
            await settle(driver, await host.wait(2 if number == 0 else 1))
    assert all(server.calls("xadd") for server in cluster)


@on_the_loop
async def test_a_slot_that_moves_to_another_server_is_followed(cluster: Sequence[RedisServer]) -> None:
    ids = [server.ask("CLUSTER MYID").split("\r\n")[1] for server in cluster]
    async with connected("moving", *[server.address for server in cluster]) as (driver, host):
        await driver.push([job("before")])
        await settle(driver, await host.wait(1))
        slot = int(cluster[0].ask("CLUSTER KEYSLOT rr.jobs:{moving}").strip(":\r\n"))
        source = next(at for at, server in enumerate(cluster) if "MOVED" not in server.ask("EXISTS rr.jobs:{moving}"))
        target = (source + 1) % 3
        cluster[target].ask(f"CLUSTER SETSLOT {slot} IMPORTING {ids[source]}")
        cluster[source].ask(f"CLUSTER SETSLOT {slot} MIGRATING {ids[target]}")
        port = cluster[target].port
        assert "OK" in cluster[source].ask(f"MIGRATE 127.0.0.1 {port} rr.jobs:{{moving}} 0 5000")
        for server in (cluster[target], cluster[source], cluster[3 - source - target]):
            server.ask(f"CLUSTER SETSLOT {slot} NODE {ids[target]}")
        await host.wait_lost()
        await driver.disconnect()
        await driver.connect()
        await driver.consume()
        await driver.push([job("after")])
        (found,) = await host.wait(1)
        assert found.job.id == "after"
        await settle(driver, [found])
        assert "MOVED" not in cluster[target].ask("EXISTS rr.jobs:{moving}")


@on_the_loop
async def test_the_next_master_is_found_through_its_sentinel(tmp_path: Path, queue: str) -> None:
    with redis_sentinel(tmp_path, password="secret") as (master, replica, sentinel):
        section = RedisConfig(
            addrs=[sentinel.address], master_name="mymaster", password="secret", sentinel_password="secret"
        )
        async with connected(queue, section=section) as (driver, host):
            await driver.push([job("1"), job("2")])
            one, two = await host.wait(2)
            await driver.ack(one)
            replica_has = f"AUTH secret\r\nXLEN rr.jobs:{{{queue}}}"
            await asyncio.to_thread(replica.wait_for, replica_has, ":1")
            os.kill(master.program.pid, signal.SIGKILL)
            await host.wait_lost()
            await reconnected(driver)
            await driver.consume()
            await driver.ack(two)  # received on the connection to the first master
            assert (await driver.stat()).active == 0


async def sent(driver: RedisDriver, count: int) -> None:
    """Wait until Redis has sent so many jobs to consumers."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if (await driver.stat()).reserved == count:
                return
            await asyncio.sleep(0.02)


async def reconnected(driver: RedisDriver) -> None:
    """Connect again and again, as the pipeline does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await driver.disconnect()
            try:
                await driver.connect()
                return
            except BrokerError:
                await asyncio.sleep(0.1)
