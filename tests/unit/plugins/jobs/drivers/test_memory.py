"""The driver ``memory`` alone, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pyroadrunner.plugins.jobs.drivers.contract import Delivery, Host, Job, PushRefused
from pyroadrunner.plugins.jobs.drivers.memory.config import MemoryConfig
from pyroadrunner.plugins.jobs.drivers.memory.driver import MemoryDriver
from support.virtual_time import in_virtual_time, turns


class Room(Host):
    """A pipeline that takes what the test allows."""

    name = "p"
    timeout = 60.0

    def __init__(self) -> None:
        self.delivered: list[Delivery] = []
        self.settled = 0
        self._changed = asyncio.Event()

    @property
    def ids(self) -> list[str]:
        return [delivery.job.id for delivery in self.delivered]

    def deliver(self, delivery: Delivery) -> None:
        self.delivered.append(delivery)

    async def room(self, prefetch: int) -> int:
        while (free := prefetch - len(self.delivered) + self.settled) <= 0:
            self._changed.clear()
            await self._changed.wait()
        return free

    def settle(self) -> None:
        self.settled += 1
        self._changed.set()

    def lost(self, why: str) -> None:
        raise AssertionError(why)


@asynccontextmanager
async def memory(**keys: Any) -> AsyncIterator[tuple[MemoryDriver, Room]]:
    host = Room()
    driver = MemoryDriver(host, MemoryConfig(**keys))
    await driver.connect()
    await driver.consume()
    await turns()
    yield driver, host
    await driver.disconnect()


def jobs(*names: str, delay: int = 0) -> list[Job]:
    return [Job(id=name, name="J", payload=b"", delay=delay) for name in names]


@in_virtual_time
async def test_jobs_arrive_in_the_order_of_the_push_and_at_once() -> None:
    async with memory() as (driver, host):
        driver.push(jobs("1", "2"))
        assert host.ids == ["1", "2"]
        driver.push(jobs("3"))
        assert host.ids == ["1", "2", "3"]


@in_virtual_time
async def test_no_more_than_prefetch_are_delivered_and_the_order_stays() -> None:
    async with memory(prefetch=2) as (driver, host):
        driver.push(jobs(*"12345"))
        await turns()
        assert host.ids == ["1", "2"]
        for number in range(3, 6):
            driver.ack(host.delivered[number - 3])
            host.settle()
            await turns()
            assert host.ids == [str(one) for one in range(1, number + 1)]
        stats = await driver.stat()
        assert (stats.queue, stats.active, stats.delayed, stats.reserved) == ("p", 2, 0, 0)


@in_virtual_time
async def test_delayed_jobs_arrive_when_they_are_due_also_while_paused() -> None:
    async with memory() as (driver, host):
        driver.push(jobs("late", delay=10))
        driver.push(jobs("early", delay=5))
        driver.push(jobs("early2", delay=5))
        assert (await driver.stat()).delayed == 3
        await asyncio.sleep(4.9)
        assert host.ids == []
        await asyncio.sleep(0.2)
        assert host.ids == ["early", "early2"]
        await driver.cancel()
        await asyncio.sleep(60)
        assert (await driver.stat()).delayed == 0
        await driver.consume()
        await turns()
        assert host.ids == ["early", "early2", "late"]


@in_virtual_time
async def test_delayed_jobs_are_not_limited_in_number() -> None:
    async with memory() as (driver, host):
        driver.push([Job(id=str(number), name="J", payload=b"", delay=1 + number % 7) for number in range(20_000)])
        await asyncio.sleep(8)
        assert len(host.ids) == 20_000


@in_virtual_time
async def test_a_full_pipeline_refuses() -> None:
    async with memory(max_items=2) as (driver, host):
        with pytest.raises(PushRefused, match=r"it holds max_items \(2\) jobs"):
            driver.push(jobs("1", "2", "3"))
        assert host.ids == ["1", "2"]
        driver.ack(host.delivered[0])
        driver.push(jobs("3"))


@in_virtual_time
async def test_a_released_job_is_the_next_one_and_has_no_attempt_more() -> None:
    async with memory(prefetch=2) as (driver, host):
        driver.push(jobs("1", "2", "3"))
        await driver.cancel()
        for delivery in reversed(host.delivered):
            driver.release(delivery)
        assert [one.job.id for one in await driver.take(10)] == ["1", "2", "3"]
        assert host.delivered[0].job.headers == {}


@in_virtual_time
async def test_a_redelivered_job_counts_its_attempts() -> None:
    async with memory() as (driver, host):
        driver.push(jobs("1"))
        for attempt in range(1, 4):
            delivery = host.delivered[-1]
            delivery.failed_at = f"time {attempt}"
            driver.redeliver(delivery, 1)
            await asyncio.sleep(1.1)
            assert host.delivered[-1].job.headers == {"rr_attempts": [str(attempt)], "rr_first_failed": ["time 1"]}


@in_virtual_time
async def test_what_is_taken_is_not_delivered() -> None:
    async with memory() as (driver, host):
        await driver.cancel()
        driver.push(jobs("1", "2"))
        (first,) = await driver.take(1)
        await driver.consume()
        await turns()
        assert host.ids == ["2"]
        driver.release(first)
        await turns()
        assert host.ids == ["2", "1"]
