"""A pool: check out a worker, run the request, take the worker back. Bounded queue, reset, destroy.

The hot path is ``exec`` -> ``Worker.run`` -> (frame) -> ``freed`` -> the future of ``exec``. A freed worker gets the
next request of the queue right in the callback that saw its answer, before anybody is woken: workers do not idle while
requests wait. Who is alive is the business of ``roster.py``; deadlines are swept by one ``Ticker``.
"""

from __future__ import annotations

import asyncio
from collections import deque

from pyroadrunner.log import Log
from pyroadrunner.workers.autoscaler import Autoscaler
from pyroadrunner.workers.config import MAX_WORKERS, PoolConfig
from pyroadrunner.workers.errors import NoFreeWorker, PoolClosed, TooManyWorkers, WorkerRefused
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
        self._autoscaler = Autoscaler(config.dynamic_allocator) if config.dynamic_allocator else None
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

    async def exec(self, payload: Payload, label: tuple[str, bytes] | None = None) -> Reply:
        """Run one request on a free worker.

        When cancelled, the request is taken from the queue; if it runs already, its answer is read and dropped.

        Args:
            payload: context and body; not both empty.
            label: method and path, for ``rr workers -i``.

        Raises:
            QueueFull, NoFreeWorker, PoolClosed, ExecTimeout, WorkerCrashed, WorkerFailed, EmptyPayload.
        """
        self._gate.enter(payload)
        job = Job(payload, label, self._loop.create_future(), self._loop.time())
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

    def _give(self, worker: Worker, job: Job) -> None:
        worker.run(job)
        if self._exec_ttl:
            self._ticker.arm()

    def _next(self) -> Job | None:
        """The next request that somebody still waits for: the oldest; in an overload the newest."""
        queue = self._queue
        while queue:
            overload = self._loop.time() - queue[0].since > _OVERLOADED_AFTER
            job = queue.pop() if overload else queue.popleft()
            if not job.answer.done():
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
        elif self._autoscaler is not None and self._roster.surplus:
            worker.retire(State.INVALID)
            self._roster.dismiss(worker)
        else:
            self._idle.append(worker)

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
        for job in [job for job in self._queue if now - job.since >= self._config.allocate_timeout]:
            self._queue.remove(job)
            job.fail(NoFreeWorker(self.name, now - job.since))
        busy = False
        if self._exec_ttl:
            for worker in list(self._roster.members.values()):
                if worker.exceeds(now, self._exec_ttl):
                    worker.expire(self._exec_ttl)
                busy = busy or worker.busy
        scaled = self._autoscaler is not None and self._scale(self._autoscaler, now)
        return bool(self._queue) or busy or scaled

    def _scale(self, scaler: Autoscaler, now: float) -> bool:
        waited = now - self._queue[0].since if self._queue else 0.0
        if grown := scaler.grow(now, waited):
            self._roster.wanted += grown
            self._roster.ensure()
            log.debug("workers are added: requests wait", pool=self.name, added=grown, waited=waited)
        if shrunk := scaler.shrink(now, queued=bool(self._queue)):
            self._roster.wanted -= shrunk
            self._let_surplus_go()
            log.debug("added workers leave: the pool is idle", pool=self.name, removed=shrunk)
        return scaler.extra > 0

    def _let_surplus_go(self) -> None:
        while self._idle and self._roster.surplus:
            worker = self._idle.popleft()
            worker.retire(State.INVALID)
            self._roster.dismiss(worker)

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
        if config.dynamic_allocator != old.dynamic_allocator:
            extra = self._autoscaler.extra if self._autoscaler is not None else 0
            self._autoscaler = Autoscaler(config.dynamic_allocator) if config.dynamic_allocator else None
            if self._autoscaler is None:
                self._roster.wanted -= extra
            else:
                self._autoscaler.extra = extra
        self._roster.reconfigure(config)
        self._let_surplus_go()
        for worker in list(self._roster.members.values()):
            if not self._roster.surplus:
                break
            if active(worker.state):
                worker.retire(State.INVALID)
                self._release(worker)

    async def workers(self) -> list[WorkerInfo]:
        """Every worker whose process has not ended, oldest first."""
        return [worker.info(self.name) for worker in self._roster.members.values()]

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
    shortest = min(config.exec_ttl() or config.allocate_timeout, config.allocate_timeout)
    return min(max(shortest / 10, _FINEST_TICK), _COARSEST_TICK)
