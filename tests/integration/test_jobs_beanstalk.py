"""The driver ``beanstalk`` with a real beanstalkd; more is in tests/conformance/jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.plugins.jobs.drivers.beanstalk import driver as driver_module
from pyroadrunner.plugins.jobs.drivers.beanstalk.config import BeanstalkConfig, BeanstalkSection
from pyroadrunner.plugins.jobs.drivers.beanstalk.driver import BeanstalkDriver
from pyroadrunner.plugins.jobs.drivers.beanstalk.message import body_of, job_of
from pyroadrunner.plugins.jobs.drivers.contract import FOREIGN, BrokerError, BrokerStats, Delivery, PushRefused
from support.beanstalk import Beanstalkd, beanstalkd
from support.job_drivers import OpenHost, job, on_the_loop
from support.tcp_proxy import TcpProxy

_TUBES = (f"tube-{number}" for number in count())


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beanstalkd]:
    with beanstalkd(tmp_path_factory.mktemp("beanstalkd")) as server:
        yield server


@pytest.fixture
def tube() -> str:
    return next(_TUBES)


@asynccontextmanager
async def connected(
    address: str, tube: str, *, limit: int = 1000, consumes: bool = True, wait: float = 1.0, **section: Any
) -> AsyncIterator[tuple[BeanstalkDriver, OpenHost]]:
    host = OpenHost(limit)
    config = BeanstalkConfig(tube=tube, tube_priority=5, reserve_timeout=wait)
    driver = BeanstalkDriver(host, config, BeanstalkSection(addr=address, **section))
    try:
        await driver.connect()
        if consumes:
            await driver.consume()
        yield driver, host
    finally:
        await driver.disconnect()


async def settle(driver: BeanstalkDriver, deliveries: list[Delivery]) -> None:
    for delivery in deliveries:
        await driver.ack(delivery)


@on_the_loop
async def test_another_client_reads_what_was_pushed(broker: Beanstalkd, tube: str) -> None:
    pushed = job("ID", b"payload", priority=7)
    async with connected(broker.address, tube, consumes=False) as (driver, _):
        await driver.push([pushed])
    with broker.client() as client:
        client.ask(f"watch {tube}")
        line, body = client.ask("reserve-with-timeout 0")
        stats = client.stats(f"stats-job {line.split()[1]}")
    assert body == body_of(pushed)
    assert (stats["pri"], stats["ttr"], stats["delay"]) == ("5", "30", "0")


@on_the_loop
async def test_jobs_of_other_clients_arrive(broker: Beanstalkd, tube: str) -> None:
    theirs = job("theirs", b"p")
    with broker.client() as client:
        client.put(tube, b"plain text")
        client.put(tube, body_of(theirs))
    async with connected(broker.address, tube) as (driver, host):
        plain, gob = found = await host.wait(2)
        assert (plain.job.name, plain.job.payload, plain.queue) == (FOREIGN, b"plain text", tube)
        assert gob.job == theirs
        await settle(driver, found)


@on_the_loop
async def test_a_job_that_outlives_its_time_to_run_stays_with_its_worker(broker: Beanstalkd, tube: str) -> None:
    with broker.client() as client:
        number = client.put(tube, b"long", time_to_run=1)
        async with connected(broker.address, tube) as (driver, host):
            found = await host.wait(1)
            await asyncio.sleep(2.5)
            stats = client.stats(f"stats-job {number}")
            assert (stats["state"], stats["reserves"], stats["timeouts"]) == ("reserved", "1", "0")
            await settle(driver, found)
            assert client.stats(f"stats-job {number}") == {}


@on_the_loop
async def test_a_job_that_its_consumer_lost_is_not_settled(broker: Beanstalkd, tube: str) -> None:
    async with connected(broker.address, tube) as (driver, host):
        await driver.push([job()])
        (found,) = await host.wait(1)
        _, number = found.receipt
        await driver.ack(found)
        with pytest.raises(BrokerError, match="its time to run was over"):
            await driver.ack(found)
        assert number > 0


@on_the_loop
async def test_a_job_that_is_too_large_is_refused_and_those_before_it_are_pushed(broker: Beanstalkd, tube: str) -> None:
    async with connected(broker.address, tube) as (driver, host):
        with pytest.raises(PushRefused, match="beanstalkd accepts 65535"):
            await driver.push([job("1"), job("2", b"x" * 70_000), job("3")])
        (found,) = await host.wait(1)
        assert found.job.id == "1"
        await settle(driver, [found])
        assert await driver.stat() == BrokerStats(queue=tube)


@on_the_loop
async def test_a_delay_that_beanstalkd_does_not_have_is_refused(broker: Beanstalkd, tube: str) -> None:
    async with connected(broker.address, tube, consumes=False) as (driver, _):
        with pytest.raises(PushRefused, match="no delay of 4294967296 s"):
            await driver.push([job(delay=2**32)])
        await driver.push([job(delay=2**32 - 1)])
        assert (await driver.stat()).delayed == 1


@on_the_loop
async def test_a_failed_job_that_is_too_large_with_headers_comes_back_without_its_count(
    broker: Beanstalkd, tube: str
) -> None:
    async with connected(broker.address, tube) as (driver, host):
        await driver.push([job("1", b"x" * 65_350)])
        (first,) = await host.wait(1)
        await driver.redeliver(first, 0)
        (second,) = await host.wait(1)
        assert second.job == first.job
        await settle(driver, [second])


@on_the_loop
async def test_released_jobs_keep_their_priority(broker: Beanstalkd, tube: str) -> None:
    with broker.client() as client:
        number = client.put(tube, b"x", priority=77)
        async with connected(broker.address, tube, consumes=False) as (driver, _):
            (found,) = await driver.take(10)
            await driver.release(found)
            stats = client.stats(f"stats-job {number}")
            assert (stats["pri"], stats["state"]) == ("77", "ready")


@on_the_loop
async def test_figures_are_those_of_the_tube(broker: Beanstalkd, tube: str) -> None:
    with broker.client() as client:
        client.put(f"{tube}-other", b"x")
    async with connected(broker.address, tube, consumes=False) as (driver, _):
        await driver.push([job("1"), job("2"), job("3", delay=60)])
        taken = await driver.take(1)
        assert await driver.stat() == BrokerStats(queue=tube, active=1, delayed=1, reserved=1)
        await settle(driver, taken)


@on_the_loop
async def test_jobs_are_acknowledged_while_it_waits_for_the_next(broker: Beanstalkd, tube: str) -> None:
    """No acknowledgement waits behind a reserve, with more held jobs than connections."""
    async with connected(broker.address, tube, wait=60.0) as (driver, host):
        held: list[Delivery] = []
        for number in range(20):
            await driver.push([job(str(number))])
            held += await host.wait(1)
        lines = {id(delivery.receipt[0]) for delivery in held}
        assert 1 < len(lines) <= 8
        assert (await driver.stat()).reserved == 20
        async with asyncio.timeout(20):
            await settle(driver, held)
        assert await driver.stat() == BrokerStats(queue=tube)


@on_the_loop
async def test_a_pause_is_quick_and_loses_nothing(broker: Beanstalkd, tube: str) -> None:
    async with connected(broker.address, tube, wait=60.0) as (driver, host):
        await asyncio.sleep(0.05)  # it waits in a reserve
        async with asyncio.timeout(20):
            await driver.cancel()
            await driver.cancel()
        await driver.push([job()])
        assert [found.job.id for found in await driver.take(10)] == ["1"]
        assert host.arrived == []


@on_the_loop
async def test_a_job_that_is_being_acknowledged_does_not_come_back_with_a_pause(
    broker: Beanstalkd, tube: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection waits for further jobs meanwhile, so beanstalkd does not read the acknowledgement at once."""
    monkeypatch.setattr(driver_module, "_MOST_LINES", 1)
    async with connected(broker.address, tube) as (driver, host):
        await driver.push([job()])
        (held,) = await host.wait(1)
        await asyncio.sleep(0.1)
        acknowledging = asyncio.create_task(driver.ack(held))
        await asyncio.sleep(0)
        await driver.cancel()
        await acknowledging
        assert await driver.stat() == BrokerStats(queue=tube)


@on_the_loop
async def test_jobs_that_arrive_during_a_pause_go_back(broker: Beanstalkd, tube: str) -> None:
    async with connected(broker.address, tube, consumes=False) as (driver, host):
        await driver.push([job(str(number)) for number in range(500)])
        await driver.consume()
        held = await host.wait(1)
        await driver.cancel()
        held += host.arrived
        await asyncio.sleep(0.1)
        assert len(host.arrived) == len(held) - 1
        assert (await driver.stat()).reserved == len(held)


@on_the_loop
async def test_an_idle_connection_that_breaks_is_noticed(broker: Beanstalkd, tube: str) -> None:
    with TcpProxy(broker.port) as proxy:
        async with connected(f"tcp://127.0.0.1:{proxy.port}", tube, consumes=False) as (driver, host):
            proxy.cut()
            assert "lost" in await host.wait_lost()
            with pytest.raises(BrokerError):
                await driver.push([job()])


@on_the_loop
async def test_a_unix_socket(tmp_path: Path, tube: str) -> None:
    with beanstalkd(tmp_path, unix=True) as server:
        async with connected(server.address, tube) as (driver, host):
            await driver.push([job(headers={"h": ["1"]})])
            (found,) = await host.wait(1)
            assert found.job.headers == {"h": ["1"]}
            await settle(driver, [found])


@on_the_loop
async def test_a_beanstalkd_that_accepts_no_jobs(tmp_path: Path, tube: str) -> None:
    """``SIGUSR1``: drain mode."""
    with beanstalkd(tmp_path) as server:
        async with connected(server.address, tube, consumes=False) as (driver, _):
            server.drain()
            with pytest.raises(BrokerError, match="DRAINING"):
                await driver.push([job()])


@on_the_loop
async def test_an_address_where_nothing_listens(tube: str) -> None:
    with pytest.raises(BrokerError, match=r"dial tcp 127\.0\.0\.1:1: "):
        async with connected("tcp://127.0.0.1:1", tube):
            pass


def test_a_body_without_headers_is_roadrunners() -> None:
    body = body_of(job("ID", b"x"))
    assert b"Hdrs" not in body
    assert job_of(body, "p", 10) == job("ID", b"x")
