"""A queue in the memory of the server; its jobs are lost when the server exits.

Nothing here waits: all methods that settle a delivery return at once. A crash of a worker loses no job: the queue is
the server's.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Sequence

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.contract import (
    BrokerStats,
    Delivery,
    Driver,
    Headers,
    Host,
    Job,
    PushRefused,
)
from pyroadrunner.plugins.jobs.drivers.memory.config import MemoryConfig

log = Log("jobs")


class MemoryDriver(Driver):
    """Jobs in memory: waiting, delayed, held by the pipeline."""

    def __init__(self, host: Host, config: MemoryConfig, section: None = None) -> None:
        self._host = host
        self._config = config
        self._waiting: deque[Job] = deque()
        self._delayed: list[tuple[float, int, Job]] = []  # a heap by due time and arrival
        self._numbers = itertools.count()
        self._held: set[Delivery] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self._room = 0  # deliveries that the pipeline expects without being asked again

    def __repr__(self) -> str:
        return f"MemoryDriver({len(self._waiting)} waiting, {len(self._delayed)} delayed, {len(self._held)} held)"

    async def connect(self) -> None:
        """Nothing to connect to."""

    async def disconnect(self) -> None:
        """End the tasks. What the queue holds is lost."""
        await self.cancel()
        if left := len(self._waiting) + len(self._delayed) + len(self._held):
            log.warning("jobs in memory are lost", pipeline=self._host.name, jobs=left)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def push(self, jobs: Sequence[Job]) -> None:
        limit = self._config.max_items
        for job in jobs:
            if limit and len(self._waiting) + len(self._delayed) + len(self._held) >= limit:
                raise PushRefused(f"the pipeline is full: it holds max_items ({limit}) jobs")
            self._put(job)

    async def consume(self) -> None:
        self._feeder = asyncio.create_task(self._feed(), name=f"jobs {self._host.name}")

    async def cancel(self) -> None:
        feeder, self._feeder = self._feeder, None
        self._room = 0
        if feeder is not None:
            feeder.cancel()
            await asyncio.wait([feeder])

    def ack(self, delivery: Delivery) -> None:
        self._held.discard(delivery)

    def nack(self, delivery: Delivery) -> None:
        self._held.discard(delivery)

    def redeliver(self, delivery: Delivery, delay: int) -> None:
        self._held.discard(delivery)
        self._put(delivery.failed_copy(delay))

    def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> None:
        self._held.discard(delivery)
        self._put(delivery.job.copy(headers, delay))

    def release(self, delivery: Delivery) -> None:
        """Put the job back to the head of the queue."""
        self._held.discard(delivery)
        self._waiting.appendleft(delivery.job)
        self._arrived.set()

    async def take(self, limit: int) -> Sequence[Delivery]:
        return [self._hold(self._waiting.popleft()) for _ in range(min(limit, len(self._waiting)))]

    async def stat(self) -> BrokerStats:
        active = len(self._waiting) + len(self._held)
        return BrokerStats(queue=self._host.name, active=active, delayed=len(self._delayed))

    # inside

    def _put(self, job: Job) -> None:
        if job.delay > 0:
            due = asyncio.get_running_loop().time() + job.delay
            heapq.heappush(self._delayed, (due, next(self._numbers), job))
            self._set_timer()
        elif self._room and not self._waiting:
            self._deliver(job)
        else:
            self._waiting.append(job)
            self._arrived.set()

    def _hold(self, job: Job) -> Delivery:
        delivery = Delivery(job=job)
        self._held.add(delivery)
        return delivery

    def _deliver(self, job: Job) -> None:
        self._room -= 1
        self._host.deliver(self._hold(job))

    async def _feed(self) -> None:
        """Deliver as long as the pipeline has room. Meanwhile `_put` delivers new jobs directly."""
        while True:
            self._room = await self._host.room(self._config.prefetch)
            while self._room:
                while self._room and self._waiting:
                    self._deliver(self._waiting.popleft())
                self._arrived.clear()
                if self._room:
                    await self._arrived.wait()

    def _set_timer(self) -> None:
        due = self._delayed[0][0]
        if self._timer is None or self._timer.when() > due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(due, self._due)

    def _due(self) -> None:
        """Move the jobs whose delay is over to the queue."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._delayed and self._delayed[0][0] <= now:
            self._waiting.append(heapq.heappop(self._delayed)[2])
        self._arrived.set()
        if self._delayed:
            self._set_timer()
