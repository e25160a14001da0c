"""A pool: check out a worker, run the request, take the worker back. Bounded queue, reset, destroy.

The hot path is ``exec`` -> ``Worker.run`` -> (frame) -> ``freed`` -> the future of ``exec``. A freed worker gets the
next request of the queue right in the callback that saw its answer, before anybody is woken: workers do not idle while
requests wait. Who is alive is the business of ``roster.py``; deadlines are swept by one ``Ticker``.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Mapping

from pyroadrunner.log import Log
from pyroadrunner.workers.allocator import Allocator
from pyroadrunner.workers.config import MAX_WORKERS, PoolConfig
from pyroadrunner.workers.errors import CallerGone, NoFreeWorker, PoolClosed, TooManyWorkers, WorkerRefused
from pyroadrunner.workers.figures import PoolFigures, Waits
from pyroadrunner.workers.gate import Gate
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.job import Job
from pyroadrunner.workers.payload import Payload, Reply
from pyroadrunner.workers.process import Worker
from pyroadrunner.workers.roster import Roster
from pyroadrunner.workers.spawn import Spawner
from pyroadrunner.workers.state import State, active
from pyroadrunner.workers.supervisor import Supervisor
from pyroadrunner.workers.ticker import Ticker

MAX_ATTEMPTS = 5  # workers a request is given to before it fails: it was handed back by each of them
# Seconds the oldest request may wait before the newest goes first. By then clients leave, and HTTP/1.1 does not tell
# us: who served the oldest first would work for nobody until the whole queue is through, long after the overload.
_OVERLOADED_AFTER = 1.0
_FINEST_TICK, _COARSEST_TICK = 0.01, 0.1  # seconds; a deadline is met within one tick

log = Log("server")


class Pool:
    """A named pool of workers; keeps the promises of ``contracts.WorkerPool``. Call :meth:`start` first."""

    def __init__(self, name: str, config: PoolConfig, spawner: Spawner) -> None:
        self.name = name
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._idle: deque[Worker] = deque()
        self._queue: deque[Job] = deque()
        self._gate = Gate(name, config.max_queue_size)
        self._roster = Roster(name, config, spawner, self._enlist)
        self._spawner = spawner
        self._exec_ttl = config.exec_ttl()
        self._supervisor = Supervisor(config.supervisor, self._roster, self._release) if config.supervisor else None
        self._too_many = False  # more workers than wanted, none of them free: the next ones that are leave
        self._waits = Waits()
        self._allocator: Allocator | None = None
        self._allocate(config)
        self._ticker = Ticker(_tick(config), self._sweep)

    def __repr__(self) -> str:
        return f"Pool({self.name!r}, {len(self._idle)} idle, {len(self._queue)} queued, {self._roster!r})"

    async def start(self) -> None:
        """Start the workers.

        Raises:
            WorkerStartError: one did not come up; none is left running.
        """
        await self._roster.start()
        if self._supervisor is not None:
            self._supervisor.start()

    # -- requests ------------------------------------------------------------------------------------------------------

    async def exec(self, payload: Payload, label: tuple[str, bytes] | None = None, caller: int = 0) -> Reply:
        """Run one request on a free worker.

        When cancelled, the request is taken from the queue; if it runs already, its answer is read and dropped.

        Args:
            payload: context and body; not both empty.
            label: method and path, for ``rr workers -i``.
            caller: the client's TCP port; 0 = it is not asked whether it is still there.

        Raises:
            QueueFull, NoFreeWorker, PoolClosed, ExecTimeout, WorkerCrashed, WorkerFailed, EmptyPayload, CallerGone.
        """
        self._gate.enter(payload)
        job = Job(payload, label, self._loop.create_future(), self._loop.time(), caller)
        try:
            if self._idle:
                self._give(self._idle.popleft(), job)
            else:
                self._queue.append(job)
                self._ticker.arm()
            return await job.answer
        except asyncio.CancelledError:
            job.drop_stream()
            raise
        finally:
            self._gate.leave()

    async def drop_departed(self, connected: Collection[int]) -> int:
        """Give up the requests that wait and whose caller is none of these ports; returns how many."""
        departed = [job for job in self._queue if job.caller and job.caller not in connected and not job.answer.done()]
        for job in departed:
            job.fail(CallerGone())
        return len(departed)

    def _give(self, worker: Worker, job: Job) -> None:
        worker.run(job)
        if self._exec_ttl:
            self._ticker.arm()

    def _next(self) -> Job | None:
        """The next request that somebody still waits for: the oldest; in an overload the newest."""
        queue = self._queue
        while queue:
            now = self._loop.time()
            job = queue.pop() if now - queue[0].since > _OVERLOADED_AFTER else queue.popleft()
            if not job.answer.done():
                self._waits.add(now - job.since)
                return job
        return None

    def _enlist(self, worker: Worker) -> None:
        """A new worker is ready."""
        worker.owner = self
        self.freed(worker)

    # Owner

    def freed(self, worker: Worker) -> None:
        if worker.state is not State.READY:
            self._roster.dismiss(worker)
        elif self._queue and (job := self._next()) is not None:
            self._give(worker, job)
        else:
            self._idle.append(worker)
            if self._too_many:
                self._let_surplus_go()

    def again(self, job: Job) -> None:
        if job.answer.done():
            return
        if job.attempts >= MAX_ATTEMPTS:
            job.fail(WorkerRefused(job.attempts))
        elif self._idle:
            self._give(self._idle.popleft(), job)
        else:
            job.since = self._loop.time()
            self._queue.appendleft(job)
            self._ticker.arm()

    def broken(self, worker: Worker) -> None:
        self._out_of_idle(worker)
        self._roster.fell(worker)

    def gone(self, worker: Worker) -> None:
        self._roster.gone(worker)

    def _release(self, worker: Worker) -> None:
        """A worker got a state in which it takes no more requests: stop it now, or when its answer is there."""
        self._out_of_idle(worker)
        if not worker.busy:
            self._roster.dismiss(worker)

    def _out_of_idle(self, worker: Worker) -> None:
        if worker in self._idle:
            self._idle.remove(worker)

    # -- deadlines -----------------------------------------------------------------------------------------------------

    def _sweep(self, now: float) -> bool:
        self._forget_late(now)
        busy = False
        if self._exec_ttl:
            for worker in list(self._roster.members.values()):
                if worker.exceeds(now, self._exec_ttl):
                    worker.expire(self._exec_ttl)
                busy = busy or worker.busy
        waited = now - self._queue[0].since if self._queue else 0.0
        scaled = self._allocator is not None and self._allocator.look(
            now, waited=waited, queued=len(self._queue), idle=len(self._idle)
        )
        return bool(self._queue) or busy or scaled

    def _forget_late(self, now: float) -> None:
        """Requests that waited too long get an error; those nobody waits for any more are not counted as waiting."""
        limit = self._config.allocate_timeout
        late = [job for job in self._queue if now - job.since >= limit or job.answer.done()]
        if not late:
            return
        kept = [job for job in self._queue if now - job.since < limit and not job.answer.done()]
        self._queue.clear()
        self._queue.extend(kept)
        for job in late:
            if not job.answer.done():
                self._waits.add(now - job.since)
                job.fail(NoFreeWorker(self.name, now - job.since))

    def _let_surplus_go(self) -> None:
        while self._idle and self._roster.surplus:
            worker = self._idle.popleft()
            worker.retire(State.INVALID)
            self._roster.dismiss(worker)
        self._too_many = self._roster.surplus

    # -- steering ------------------------------------------------------------------------------------------------------

    def reconfigure(self, config: PoolConfig) -> None:
        """Take over sizes, limits and timeouts; ``command`` and ``debug`` stay what they are. Workers that are missing
        or too many come and go in the background."""
        old, self._config = self._config, config
        self._gate.limit = config.max_queue_size
        self._spawner.timeout = config.allocate_timeout
        self._exec_ttl = config.exec_ttl()
        self._ticker.stop()
        self._ticker = Ticker(_tick(config), self._sweep)
        self._ticker.arm()  # for requests that wait or run; the first tick ends it when there are none
        if config.supervisor != old.supervisor:
            if self._supervisor is not None:
                self._supervisor.stop()
            self._supervisor = Supervisor(config.supervisor, self._roster, self._release) if config.supervisor else None
            if self._supervisor is not None:
                self._supervisor.start()
        self._allocate(config)
        self._roster.reconfigure(config)
        self._let_surplus_go()
        for worker in list(self._roster.members.values()):
            if not self._roster.surplus:
                break
            if active(worker.state):
                worker.retire(State.INVALID)
                self._release(worker)

    def _allocate(self, config: PoolConfig) -> None:
        if self._allocator is not None:
            self._allocator.scaler.reconfigure(config.dynamic_allocator)
        elif config.dynamic_allocator is not None:
            self._allocator = Allocator(self.name, config.dynamic_allocator, self._roster, self._let_surplus_go)

    async def figures(self) -> PoolFigures:
        """How many requests wait and have waited, and what the dynamic allocator did."""
        scaler = self._allocator.scaler if self._allocator is not None else None
        return PoolFigures(
            queued=len(self._queue),
            waiting=self._loop.time() - self._queue[0].since if self._queue else 0.0,
            waits=tuple(self._waits.counts),
            waited_total=self._waits.total,
            waited_longest=self._waits.longest,
            scaled=scaler.extra if scaler is not None else 0,
            scale_ups=scaler.ups if scaler is not None else 0,
            scale_downs=scaler.downs if scaler is not None else 0,
        )

    async def workers(self) -> list[WorkerInfo]:
        """Every worker whose process has not ended, oldest first."""
        return [worker.info(self.name) for worker in self._roster.members.values()]

    def states(self) -> Mapping[State, int]:
        """How many workers are in each state, without a look at their processes."""
        return Counter(worker.state for worker in self._roster.members.values())

    async def reset(self) -> None:
        """Replace all workers, the new ones ready before the old ones go; no request fails.

        Returns when the old ones have ended; requests they still run after ``reset_timeout`` are given up.

        Raises:
            WorkerStartError: the new ones do not come up; the old ones stay.
        """
        await self._roster.renew(self._release)

    async def add_worker(self) -> None:
        """One worker more, until the server stops.

        Raises:
            TooManyWorkers: there are 500 already.
            WorkerStartError: it does not come up.
        """
        if self._roster.wanted >= MAX_WORKERS:
            raise TooManyWorkers
        await self._roster.grow()

    async def remove_worker(self) -> None:
        """One worker less; it finishes its request first. The last one stays, as in RoadRunner.

        Returns when one has left the ranks, or after ``destroy_timeout``.
        """
        if self._roster.wanted <= 1:
            log.warning("the last worker of a pool is not removed", pool=self.name)
            return
        self._roster.wanted -= 1
        self._let_surplus_go()
        if self._roster.surplus:
            chosen = next(worker for worker in self._roster.members.values() if active(worker.state))
            chosen.retire(State.INVALID)
            self._release(chosen)
            await chosen.ended(self._config.destroy_timeout)

    async def destroy(self, grace: float) -> None:
        """Refuse new requests, give those that wait or run ``grace`` seconds, stop every worker. Idempotent."""
        until = self._loop.time() + grace
        if not await self._gate.close(grace):
            log.warning("requests are given up: the grace period is over", pool=self.name, requests=self._gate.load)
        while (job := self._next()) is not None:
            job.fail(PoolClosed(self.name))
        self._ticker.stop()
        if self._supervisor is not None:
            self._supervisor.stop()
        await self._roster.close(until - self._loop.time())


def _tick(config: PoolConfig) -> float:
    """Seconds between two looks at deadlines."""
    shortest = min(config.exec_ttl() or config.allocate_timeout, config.allocate_timeout) / 10
    if config.dynamic_allocator is not None:
        shortest = min(shortest, config.dynamic_allocator.scale_up_wait / 2)
    return min(max(shortest, _FINEST_TICK), _COARSEST_TICK)
