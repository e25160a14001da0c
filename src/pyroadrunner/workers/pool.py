"""A pool: check out a worker, run the request, take the worker back. Bounded queue, reset, destroy.

The hot path is ``exec`` -> ``Worker.run`` -> (frame) -> ``on_free`` -> the future of ``exec``. A freed worker gets the
next request of the queue right in the callback that saw its answer, before anybody is woken: workers do not idle while
requests wait. Who is alive is the business of ``worker_set.py``; deadlines are swept by one ``Ticker``.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from pyroadrunner.log import Log
from pyroadrunner.workers.admission import Admission, check
from pyroadrunner.workers.call import Call, OnCancel
from pyroadrunner.workers.call_queue import CallQueue, Entry, QueuePolicy
from pyroadrunner.workers.config import MAX_WORKERS, PoolConfig
from pyroadrunner.workers.dynamic_allocator import DynamicAllocator
from pyroadrunner.workers.errors import LeaseEnded, NoFreeWorker, PoolClosed, TooManyWorkers, WorkerRefused
from pyroadrunner.workers.events import PoolEvent, ResetBegan, ResetEnded, Subscribers, WorkerGone, WorkerReady
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.lease import Lease, LeaseRequest
from pyroadrunner.workers.payload import Payload, Reply
from pyroadrunner.workers.spawn import Spawner
from pyroadrunner.workers.state import State, active
from pyroadrunner.workers.stats import PoolStats, WaitTimes
from pyroadrunner.workers.supervisor import Supervisor
from pyroadrunner.workers.ticker import Ticker
from pyroadrunner.workers.worker import Worker
from pyroadrunner.workers.worker_set import WorkerSet

MAX_ATTEMPTS = 5  # workers a request is given to before it fails: it was handed back by each of them
_MIN_TICK, _MAX_TICK = 0.01, 0.1  # seconds; a deadline is met within one tick

log = Log("server")


class Pool:
    """A named pool of workers; keeps the promises of ``contracts.WorkerPool``. Call :meth:`start` first."""

    def __init__(self, name: str, config: PoolConfig, spawner: Spawner, policy: QueuePolicy = QueuePolicy.FIFO) -> None:
        self.name = name
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._idle: deque[Worker] = deque()
        self._queue = CallQueue(policy, config.max_lifo_wait)
        self._admission = Admission(name, config.max_queue_size)
        self._workers = WorkerSet(name, config, spawner, self._on_started)
        self._spawner = spawner
        self._exec_ttl = config.exec_ttl()
        self._supervisor = (
            Supervisor(config.supervisor, self._workers, self._stop_when_idle) if config.supervisor else None
        )
        self._drained: asyncio.Future[None] | None = None  # destroy() waits for it
        self._stopped = False  # the grace is over: what is handed back now is refused
        self._has_surplus = False  # more workers than wanted, none of them free: the next ones that are leave
        self._waits = WaitTimes()
        self._subscribers = Subscribers()
        self._allocator: DynamicAllocator | None = None
        self._configure_allocator(config)
        self._ticker = Ticker(_tick(config), self._sweep)

    def __repr__(self) -> str:
        return f"Pool({self.name!r}, {len(self._idle)} idle, {len(self._queue)} queued, {self._workers!r})"

    async def start(self) -> None:
        """Start the workers.

        Raises:
            WorkerStartError: one did not come up; none is left running.
        """
        await self._workers.start()
        if self._supervisor is not None:
            self._supervisor.start()

    # -- requests ------------------------------------------------------------------------------------------------------

    async def exec(
        self,
        payload: Payload,
        *,
        timeout: float | None = None,
        on_cancel: OnCancel = OnCancel.FINISH,
        describe: Callable[[], str] | None = None,
        priority: int = 0,
    ) -> Reply:
        """Run one request on a free worker; see ``contracts.WorkerPool``."""
        self._admission.enter(payload)
        call = Call(
            payload,
            self._loop.create_future(),
            self._loop.time(),
            timeout=timeout,
            describe=describe,
            priority=priority,
        )
        try:
            if self._idle:
                self._assign(self._idle.popleft(), call)
            else:
                self._queue.push(call)
                self._ticker.arm()
            return await call.answer
        except asyncio.CancelledError:
            self._cancelled(call, on_cancel)
            raise
        finally:
            self._admission.leave()

    def lease(self, *, priority: int = 0, timeout: float | None = None) -> LeaseRequest:
        """Hold a worker: ``async with pool.lease() as lease``; see ``contracts.WorkerPool``."""
        return LeaseRequest(self, priority, timeout)

    def _cancelled(self, call: Call, on_cancel: OnCancel) -> None:
        call.drop_stream()
        if on_cancel is OnCancel.KILL:
            for worker in self._workers.members.values():
                if worker.runs(call):
                    log.info("worker is killed: its call was cancelled", pid=worker.pid, request=call.describe())
                    worker.kill()
                    return

    # Leasing

    def enter_queue(self, request: LeaseRequest) -> None:
        if self._admission.closed:
            raise PoolClosed(self.name)
        if self._idle:
            self._assign(self._idle.popleft(), request)
        else:
            self._queue.push(request)
            self._ticker.arm()

    async def exec_leased(
        self,
        lease: Lease,
        payload: Payload,
        timeout: float | None,
        on_cancel: OnCancel,
        describe: Callable[[], str] | None,
    ) -> Reply:
        worker = lease.worker
        if lease.ended.done():
            raise LeaseEnded(worker.pid, lease.ended.result())
        if worker.state is not State.READY:
            raise RuntimeError("a leased worker runs one call at a time")
        check(payload)
        call = Call(
            payload,
            self._loop.create_future(),
            self._loop.time(),
            timeout=timeout,
            describe=describe,
            leased=True,
        )
        try:
            self._assign(worker, call)
            return await call.answer
        except asyncio.CancelledError:
            self._cancelled(call, on_cancel)
            raise

    def end_lease(self, lease: Lease) -> None:
        worker = lease.worker
        worker.lease = None
        if not worker.busy and not worker.exited:  # else its answer comes first: freed() follows it
            self.on_free(worker)
        self._check_drained()

    def _assign(self, worker: Worker, entry: Entry) -> None:
        if isinstance(entry, Call):
            worker.run(entry)
            if self._exec_ttl or entry.timeout:
                self._ticker.arm()
        else:
            worker.lease = lease = Lease(worker, self)
            entry.answer.set_result(lease)

    def _next_call(self) -> Entry | None:
        """The next request that is still waited for."""
        now = self._loop.time()
        entry = self._queue.pop(now)
        if entry is not None:
            self._waits.add(now - entry.waits_since)
        return entry

    def _on_started(self, worker: Worker) -> None:
        """A new worker is ready."""
        worker.owner = self
        if worker.state is State.READY:
            self._subscribers.emit(WorkerReady(self.name, worker.pid))
        self.on_free(worker)

    # Owner

    def on_free(self, worker: Worker) -> None:
        if worker.lease is not None:  # its holder goes on with it, or releases it
            pass
        elif worker.state is not State.READY:
            self._workers.stop_and_replace(worker)
        elif self._queue and (entry := self._next_call()) is not None:
            self._assign(worker, entry)
        else:
            self._idle.append(worker)
            if self._has_surplus:
                self._stop_surplus()
        self._check_drained()

    def requeue(self, worker: Worker, call: Call) -> None:
        if call.answer.done():
            return
        if call.leased:
            call.fail(LeaseEnded(worker.pid, "the worker handed the call back"))
        elif self._stopped:
            call.fail(PoolClosed(self.name))
        elif call.attempts >= MAX_ATTEMPTS:
            call.fail(WorkerRefused(call.attempts))
        else:
            call.wait_again(self._loop.time())
            if self._idle:
                self._assign(self._idle.popleft(), call)
            else:
                self._queue.push(call)
                self._ticker.arm()

    def on_failed(self, worker: Worker) -> None:
        self._remove_idle(worker)
        self._workers.on_failed(worker)

    def on_exited(self, worker: Worker) -> None:
        self._workers.on_exited(worker)
        self._subscribers.emit(
            WorkerGone(self.name, worker.pid, (worker.cause or worker.state).label, worker.exit_status)
        )
        self._check_drained()

    def _stop_when_idle(self, worker: Worker) -> None:
        """A worker got a state in which it takes no more requests: stop it now, or when its answer is there."""
        self._remove_idle(worker)
        if not worker.in_use:
            self._workers.stop_and_replace(worker)

    def _remove_idle(self, worker: Worker) -> None:
        if worker in self._idle:
            self._idle.remove(worker)

    # -- deadlines -----------------------------------------------------------------------------------------------------

    def _sweep(self, now: float) -> bool:
        self._expire_queued(now)
        busy = False
        for worker in list(self._workers.members.values()):
            worker.expire(now, self._exec_ttl)
            busy = busy or worker.busy
        added = self._allocator is not None and self._allocator.check(
            now, waited=self._queue.oldest_wait(now), queued=len(self._queue), idle=len(self._idle)
        )
        return bool(self._queue) or busy or added

    def _expire_queued(self, now: float) -> None:
        """Requests that waited too long get an error; those nobody waits for any more are not counted as waiting."""
        for entry in self._queue.take_late(now, self._config.allocate_timeout):
            waited = now - entry.waits_since
            self._waits.add(waited)
            entry.fail(NoFreeWorker(self.name, waited))

    def _stop_surplus(self) -> None:
        while self._idle and self._workers.surplus:
            worker = self._idle.popleft()
            worker.retire(State.INVALID)
            self._workers.stop_and_replace(worker)
        self._has_surplus = self._workers.surplus

    # -- steering ------------------------------------------------------------------------------------------------------

    def reconfigure(self, config: PoolConfig) -> None:
        """Take over sizes, limits and timeouts; ``command`` and ``debug`` stay what they are. Workers that are missing
        or too many come and go in the background."""
        old, self._config = self._config, config
        self._admission.limit = config.max_queue_size
        self._queue.max_lifo_wait = config.max_lifo_wait
        self._spawner.timeout = config.allocate_timeout
        self._exec_ttl = config.exec_ttl()
        self._ticker.stop()
        self._ticker = Ticker(_tick(config), self._sweep)
        self._ticker.arm()  # for requests that wait or run; the first tick ends it when there are none
        if config.supervisor != old.supervisor:
            if self._supervisor is not None:
                self._supervisor.stop()
            self._supervisor = (
                Supervisor(config.supervisor, self._workers, self._stop_when_idle) if config.supervisor else None
            )
            if self._supervisor is not None:
                self._supervisor.start()
        self._configure_allocator(config)
        self._workers.reconfigure(config)
        self._stop_surplus()
        for worker in list(self._workers.members.values()):
            if not self._workers.surplus:
                break
            if active(worker.state):
                worker.retire(State.INVALID)
                self._stop_when_idle(worker)

    def _configure_allocator(self, config: PoolConfig) -> None:
        if self._allocator is not None:
            self._allocator.policy.reconfigure(config.dynamic_allocator)
        elif config.dynamic_allocator is not None:
            self._allocator = DynamicAllocator(self.name, config.dynamic_allocator, self._workers, self._stop_surplus)

    async def stats(self) -> PoolStats:
        """The workers by state, the queue, the dynamic allocator; no look at the processes."""
        policy = self._allocator.policy if self._allocator is not None else None
        return PoolStats(
            states=Counter(worker.state for worker in self._workers.members.values()),
            free=len(self._idle),
            queued=len(self._queue),
            waiting=self._queue.oldest_wait(self._loop.time()),
            waits=tuple(self._waits.counts),
            waited_total=self._waits.total,
            waited_longest=self._waits.longest,
            added=policy.added if policy is not None else 0,
            scale_ups=policy.added_total if policy is not None else 0,
            scale_downs=policy.removed_total if policy is not None else 0,
        )

    async def workers(self) -> list[WorkerInfo]:
        """Every worker whose process has not ended, oldest first."""
        return [worker.info(self.name) for worker in self._workers.members.values()]

    async def reset(self) -> None:
        """Replace all workers, the new ones ready before the old ones go; no request fails.

        Returns when the old ones have ended; requests they still run after ``reset_timeout`` are given up.

        Raises:
            WorkerStartError: the new ones do not come up; the old ones stay.
        """
        self._subscribers.emit(ResetBegan(self.name))
        try:
            await self._workers.replace_all(self._stop_when_idle)
        except BaseException as error:
            self._subscribers.emit(ResetEnded(self.name, str(error) or type(error).__name__))
            raise
        self._subscribers.emit(ResetEnded(self.name))

    def subscribe(self, listener: Callable[[PoolEvent], None]) -> Callable[[], None]:
        """Call ``listener`` with each event; see ``contracts.WorkerPool``."""
        return self._subscribers.subscribe(listener)

    async def add_worker(self) -> None:
        """One worker more, until the server stops.

        Raises:
            TooManyWorkers: there are 500 already.
            WorkerStartError: it does not come up.
        """
        if self._workers.wanted >= MAX_WORKERS:
            raise TooManyWorkers
        await self._workers.add()

    async def remove_worker(self) -> None:
        """One worker less; it finishes its request first. The last one stays, as in RoadRunner.

        Returns when one has left the ranks, or after ``destroy_timeout``.
        """
        if self._workers.wanted <= 1:
            log.warning("the last worker of a pool is not removed", pool=self.name)
            return
        self._workers.wanted -= 1
        self._stop_surplus()
        if self._workers.surplus:
            chosen = next(worker for worker in self._workers.members.values() if active(worker.state))
            chosen.retire(State.INVALID)
            self._stop_when_idle(chosen)
            await chosen.wait_exited(self._config.destroy_timeout)

    async def destroy(self, grace: float) -> None:
        """Refuse new requests, give those that wait or run, streams among them, ``grace`` seconds, stop every worker.
        Idempotent."""
        until = self._loop.time() + grace
        for worker in self._workers.members.values():
            if worker.lease is not None:
                worker.lease.end("the pool is stopping")
        for entry in self._queue:
            if isinstance(entry, LeaseRequest):
                entry.fail(PoolClosed(self.name))
        if not await self._admission.close(grace):
            log.warning(
                "requests are given up: the grace period is over", pool=self.name, requests=self._admission.load
            )
        elif not await self._drain(until - self._loop.time()):
            log.warning("streams are cut off: the grace period is over", pool=self.name, streams=self._awaited())
        self._stopped = True
        for entry in self._queue.clear():
            entry.fail(PoolClosed(self.name))
        self._ticker.stop()
        if self._supervisor is not None:
            self._supervisor.stop()
        await self._workers.close(until - self._loop.time())

    async def _drain(self, timeout: float) -> bool:
        """Wait until no worker runs anything that is still waited for; whether that was so in time."""
        self._drained = self._loop.create_future()
        self._check_drained()
        await asyncio.wait([self._drained], timeout=timeout)
        return self._drained.done()

    def _check_drained(self) -> None:
        if self._drained is not None and not self._drained.done() and not self._awaited():
            self._drained.set_result(None)

    def _awaited(self) -> int:
        return sum(1 for worker in self._workers.members.values() if worker.awaited)


def _tick(config: PoolConfig) -> float:
    """Seconds between two looks at deadlines."""
    shortest = min(config.exec_ttl() or config.allocate_timeout, config.allocate_timeout) / 10
    if config.dynamic_allocator is not None:
        shortest = min(shortest, config.dynamic_allocator.scale_up_wait / 2)
    return min(max(shortest, _MIN_TICK), _MAX_TICK)
