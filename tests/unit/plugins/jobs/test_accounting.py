"""Every accepted job is done, whatever happens to the connection and the workers: random histories in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Sequence
from dataclasses import replace

import pytest

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.jobs.drivers.contract import (
    BrokerError,
    BrokerStats,
    Delivery,
    Driver,
    DriverInfo,
    Headers,
    Host,
    Job,
)
from support.jobs import RunningJobs, head_of, running_jobs
from support.virtual_time import in_virtual_time, turns

JOBS = 200


class Broker:
    """An at-least-once broker: what a lost connection held waits again, unless receipts survive."""

    def __init__(self, seed: int, *, survives: bool) -> None:
        self.random = random.Random(seed)
        self.survives = survives
        self.flaky = True
        self.waiting: deque[Job] = deque()
        self.held: dict[int, Job] = {}
        self.receipts = 0

    def size(self) -> int:
        return len(self.waiting) + len(self.held)


class FlakyDriver(Driver):
    """Operations take time, and may break the connection before or after their effect."""

    def __init__(self, host: Host, broker: Broker) -> None:
        self._host = host
        self._broker = broker
        self._connected = False
        self._feeder: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self.receipts_survive = broker.survives

    async def _operation(self) -> None:
        """May break the connection."""
        roll = self._broker.random
        await asyncio.sleep(roll.random() * 0.02)
        if not self._connected or (self._broker.flaky and roll.random() < 0.02):
            self.cut()
            raise BrokerError("cut")

    def cut(self) -> None:
        self._connected = False
        self._host.lost("cut")

    async def connect(self) -> None:
        await asyncio.sleep(0.05)
        if self._broker.flaky and self._broker.random.random() < 0.3:
            raise BrokerError("refused")
        self._connected = True

    async def disconnect(self) -> None:
        await self.cancel()
        self._connected = False
        if not self._broker.survives:
            self._broker.waiting.extendleft(reversed(self._broker.held.values()))
            self._broker.held.clear()

    async def push(self, jobs: Sequence[Job]) -> None:
        await self._operation()
        self._broker.waiting += jobs
        self._arrived.set()
        await self._operation()

    async def consume(self) -> None:
        await self._operation()
        self._feeder = asyncio.create_task(self._feed())

    async def cancel(self) -> None:
        feeder, self._feeder = self._feeder, None
        if feeder is not None:
            feeder.cancel()
            await asyncio.wait([feeder])

    async def _feed(self) -> None:
        while True:
            room = await self._host.room(10)
            self._arrived.clear()
            for delivery in self._take(room):
                self._host.deliver(delivery)
            if not self._broker.waiting:
                await self._arrived.wait()

    def _take(self, limit: int) -> list[Delivery]:
        found = []
        while self._broker.waiting and len(found) < limit:
            self._broker.receipts += 1
            self._broker.held[self._broker.receipts] = job = self._broker.waiting.popleft()
            found.append(Delivery(job=job, receipt=self._broker.receipts))
        return found

    async def _settle(self, delivery: Delivery, copy: Job | None = None) -> None:
        await self._operation()
        if copy is not None:
            self._broker.waiting.append(copy)
            await self._operation()
        self._broker.held.pop(delivery.receipt, None)
        self._arrived.set()

    def ack(self, delivery: Delivery) -> Awaitable[None]:
        return self._settle(delivery)

    def nack(self, delivery: Delivery) -> Awaitable[None]:
        return self._settle(delivery)

    def redeliver(self, delivery: Delivery, delay: int) -> Awaitable[None]:
        return self._settle(delivery, delivery.failed_copy(delay))

    def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> Awaitable[None]:
        return self._settle(delivery, delivery.job.copy(headers, delay))

    def release(self, delivery: Delivery) -> Awaitable[None]:
        return self._settle(delivery, replace(delivery.job))

    async def take(self, limit: int) -> Sequence[Delivery]:
        return self._take(limit)

    async def stat(self) -> BrokerStats:
        await self._operation()
        return BrokerStats(active=self._broker.size())


async def work(jobs: RunningJobs, roll: random.Random, done: Counter[str]) -> None:
    """The workers: most jobs are done; some fail, some come back, some kill their worker."""
    while True:
        await asyncio.sleep(0.01)
        for worker in jobs.workers():
            if not worker.requests:
                continue
            job = str(head_of(worker.requests[0])["id"])
            chance = roll.random()
            if chance < 0.05:
                worker.exit(1)
            elif chance < 0.1:
                worker.answer(b"<html>")
            elif chance < 0.2:
                worker.answer(b'{"type": 4, "data": {"message": "later"}}')
            elif chance < 0.3:
                worker.answer(b'{"type": 3, "data": {"message": "no", "requeue": true}}')
            else:
                done[job] += 1
                worker.answer(b'{"type": 2}')


async def push(jobs: RunningJobs, roll: random.Random, first: int, accepted: list[str]) -> None:
    for number in range(first, first + JOBS // 4):
        await asyncio.sleep(roll.random() * 0.1)
        try:
            await jobs.push(str(number))
        except RoadRunnerError:
            continue
        accepted.append(str(number))


@pytest.mark.parametrize("survives", [False, True])
@pytest.mark.parametrize("seed", range(3))
@in_virtual_time
async def test_no_accepted_job_is_lost(monkeypatch: pytest.MonkeyPatch, seed: int, survives: bool) -> None:
    broker = Broker(seed, survives=survives)
    monkeypatch.setattr(DriverInfo, "load", lambda _info: lambda host, _config, _section: FlakyDriver(host, broker))
    roll = random.Random(seed)
    done: Counter[str] = Counter()
    accepted: list[str] = []
    pipelines = {"p": {"driver": "memory", "backoff": {"initial": "0s"}}}
    async with running_jobs(pool={"num_workers": 3}, pipelines=pipelines) as jobs:
        workers = asyncio.create_task(work(jobs, roll, done))
        producers = [asyncio.create_task(push(jobs, roll, first, accepted)) for first in range(0, 1000, 300)]
        for _ in range(20):
            await asyncio.sleep(1)
            for method in ("Pause", "Resume"):
                try:
                    await jobs.call(method, pipelines=["p"])
                except RoadRunnerError:  # the connection broke in the middle
                    pass
        await asyncio.wait(producers)
        broker.flaky = False
        (state,) = await jobs.plugin.pipelines()
        if state.state == "paused":
            await jobs.call("Resume", pipelines=["p"])
        for _ in range(600):
            await asyncio.sleep(1)
            if not broker.size():
                break
        assert broker.size() == 0, (broker.waiting, broker.held, jobs.plugin)
        assert [one for one in accepted if not done[one]] == []
        assert len(accepted) > JOBS // 2
        assert not workers.done()
        workers.cancel()
        await turns()
