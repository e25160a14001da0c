"""A pool: gives each call to a free worker, or queues it. Leases, reset, destroy.

The hot path is ``exec`` -> ``Worker.run`` -> (frame) -> ``on_free`` -> the future of ``exec``. A worker gets the next
call of the queue in the callback that read its reply, before the caller of that reply runs: no worker is idle while
calls wait. ``worker_set.py`` starts and stops the workers; one ``Ticker`` checks all deadlines.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from pyroadrunner.log import Log
from pyroadrunner.workers.admission import Admission
from pyroadrunner.workers.call import Call, OnCancel, Receiver, ReplyRule, Submission, drop_stream, new_call
from pyroadrunner.workers.call_queue import AdaptiveLifoQueue, CallQueue, Entry, QueuePolicy
from pyroadrunner.workers.config import MAX_WORKERS, PoolConfig
from pyroadrunner.workers.drain import Drain
from pyroadrunner.workers.dynamic_allocator import DynamicAllocator
from pyroadrunner.workers.errors import (
    LeaseEnded,
    NoFreeWorker,
    NoSuchWorker,
    PoolClosed,
    TooManyWorkers,
    WorkerRefused,
)
from pyroadrunner.workers.events import PoolEvent, ResetBegan, ResetEnded, Subscribers, WorkerGone, WorkerReady
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.lease import Lease, LeaseReceiver, LeaseRequest, check_leased
from pyroadrunner.workers.payload import Payload, Reply
from pyroadrunner.workers.spawn import Spawner
from pyroadrunner.workers.state import State, active
from pyroadrunner.workers.stats import PoolStats, WaitTimes
from pyroadrunner.workers.supervisor import Supervisor
from pyroadrunner.workers.ticker import Ticker
from pyroadrunner.workers.worker import Worker, infos
from pyroadrunner.workers.worker_set import WorkerSet

MAX_ATTEMPTS = 5  # workers that may hand a call back before it fails
_MIN_TICK, _MAX_TICK = 0.01, 0.1  # seconds; a deadline is met within one tick

log = Log("server")


class Pool:
    """A named pool of workers; implements ``contracts.WorkerPool``. Call :meth:`start` first."""

    def __init__(self, name: str, config: PoolConfig, spawner: Spawner, policy: QueuePolicy = QueuePolicy.FIFO) -> None:
        self.name = name
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._idle: deque[Worker] = deque()
        lifo = policy is QueuePolicy.ADAPTIVE_LIFO
        self._queue = AdaptiveLifoQueue(config.max_lifo_wait) if lifo else CallQueue()
        self._admission = Admission(name, config.max_queue_size)
        self._workers = WorkerSet(name, config, spawner, self._on_started)
        self._drain = Drain(name, self._admission, self._workers.members)
        self._spawner = spawner
        self._exec_ttl = config.exec_ttl()
        self._supervisor = (
            Supervisor(config.supervisor, self._workers, self._stop_when_idle) if config.supervisor else None
        )
        self._stopped = False  # the grace is over: calls that workers hand back fail
        self._has_surplus = False  # more workers than wanted, all busy: stop the next ones that become free
        self._waits = WaitTimes()
        self._calls_of_exited = 0  # calls that workers were given which have exited since
        self._failures_of_exited = 0
        self._expired = 0  # calls that waited too long for a worker
        self._subscribers = Subscribers()
        self._allocator: DynamicAllocator | None = None
        self._configure_allocator(config)
        self._ticker = Ticker(_tick(config), self._sweep)

    def __repr__(self) -> str:
        return f"Pool({self.name!r}, {len(self._idle)} idle, {len(self._queue)} queued, {self._workers!r})"

    async def start(self) -> None:
        """Start the workers.

        Raises:
            WorkerStartError: one failed to start; the others were stopped.
        """
        await self._workers.start()
        if self._supervisor is not None:
            self._supervisor.start()

    # -- calls ---------------------------------------------------------------------------------------------------------

    async def exec(
        self,
        payload: Payload,
        *,
        timeout: float | None = None,
        on_cancel: OnCancel = OnCancel.FINISH,
        describe: Callable[[], str] | None = None,
        priority: int = 0,
    ) -> Reply:
        """Run one call on a free worker; see ``contracts.WorkerPool``."""
        self._admission.enter(payload)
        answer: asyncio.Future[Reply] = self._loop.create_future()
        call = Call(payload, answer, self._loop.time(), timeout, describe, priority)
        try:
            self._start(call)
            return await answer
        except asyncio.CancelledError:
            drop_stream(answer)
            self._cancelled(call, on_cancel)
            raise
        finally:
            self._admission.leave()

    def submit(
        self,
        payload: Payload,
        receiver: Receiver,
        *,
        timeout: float | None = None,
        priority: int = 0,
        rule: ReplyRule = ReplyRule.ONE,
    ) -> Submission:
        """Run one call and give its outcome to a receiver; see ``contracts.WorkerPool``."""
        admission = self._admission
        admission.enter(payload)
        submission = Submission(receiver, admission.leave)
        submission.call = call = new_call(rule, payload, submission, self._loop.time(), timeout, receiver, priority)
        self._start(call)
        return submission

    def _start(self, call: Call) -> None:
        if self._idle:
            self._assign(self._idle.popleft(), call)
        else:
            self._queue.push(call)
            self._ticker.arm()

    def lease(self, *, priority: int = 0, timeout: float | None = None) -> LeaseRequest:
        """Hold a worker: ``async with pool.lease() as lease``; see ``contracts.WorkerPool``."""
        return LeaseRequest(self, priority, timeout)

    def request_lease(self, receiver: LeaseReceiver, *, priority: int = 0, timeout: float | None = None) -> None:
        """Give the lease of a worker to a receiver; see ``contracts.WorkerPool``."""
        LeaseRequest(self, priority, timeout).start(receiver)

    def _cancelled(self, call: Call, on_cancel: OnCancel) -> None:
        if on_cancel is OnCancel.KILL:
            for worker in self._workers.members.values():
                if worker.runs(call):
                    log.info("killing worker: its call was cancelled", pid=worker.pid, request=call.describe())
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
        check_leased(lease, payload)
        answer: asyncio.Future[Reply] = self._loop.create_future()
        call = Call(payload, answer, self._loop.time(), timeout, describe, leased=True)
        try:
            self._assign(lease.worker, call)
            return await answer
        except asyncio.CancelledError:
            drop_stream(answer)
            self._cancelled(call, on_cancel)
            raise

    def submit_leased(self, lease: Lease, payload: Payload, receiver: Receiver, timeout: float | None) -> Submission:
        check_leased(lease, payload)
        submission = Submission(receiver)
        submission.call = call = Call(payload, submission, self._loop.time(), timeout, receiver.describe, leased=True)
        self._assign(lease.worker, call)
        return submission

    def end_lease(self, lease: Lease) -> None:
        worker = lease.worker
        worker.lease = None
        if not worker.busy and not worker.exited:  # else on_free() follows when it has answered
            self.on_free(worker)
        self._drain.check()

    def _assign(self, worker: Worker, entry: Entry) -> None:
        if isinstance(entry, Call):
            worker.run(entry)
            if self._exec_ttl or entry.timeout:
                self._ticker.arm()
        else:
            worker.lease = lease = Lease(worker, self)
            entry.answer.set_result(lease)

    def _next_call(self) -> Entry | None:
        """The next entry of the queue, if there is one."""
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
        if worker.lease is not None:  # it stays with the holder of the lease
            pass
        elif worker.state is not State.READY:
            self._workers.stop_and_replace(worker)
        elif self._queue and (entry := self._next_call()) is not None:
            self._assign(worker, entry)
        else:
            self._idle.append(worker)
            if self._has_surplus:
                self._stop_surplus()
        if self._drain.waiting:
            self._drain.check()

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
            self._start(call)

    def on_failed(self, worker: Worker) -> None:
        self._remove_idle(worker)
        self._workers.on_failed(worker)

    def on_exited(self, worker: Worker) -> None:
        self._calls_of_exited += worker.execs
        self._failures_of_exited += worker.failures
        self._workers.on_exited(worker)
        self._subscribers.emit(
            WorkerGone(self.name, worker.pid, (worker.cause or worker.state).label, worker.exit_status)
        )
        self._drain.check()

    def _stop_when_idle(self, worker: Worker) -> None:
        """Stop a retired worker: now, or when its call and its lease have ended."""
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
        """Fail the calls that waited too long; remove those that were cancelled."""
        for entry in self._queue.take_late(now, self._config.allocate_timeout):
            waited = now - entry.waits_since
            self._waits.add(waited)
            self._expired += 1
            entry.fail(NoFreeWorker(self.name, waited))

    def _stop_surplus(self) -> None:
        while self._idle and self._workers.surplus:
            worker = self._idle.popleft()
            worker.retire(State.INVALID)
            self._workers.stop_and_replace(worker)
        self._has_surplus = self._workers.surplus

    # -- control -------------------------------------------------------------------------------------------------------

    def reconfigure(self, config: PoolConfig) -> None:
        """Apply new sizes, limits and timeouts; ``command`` and ``debug`` do not change. Workers start and stop in
        the background."""
        old, self._config = self._config, config
        self._admission.limit = config.max_queue_size
        if isinstance(self._queue, AdaptiveLifoQueue):
            self._queue.max_lifo_wait = config.max_lifo_wait
        self._spawner.timeout = config.allocate_timeout
        self._exec_ttl = config.exec_ttl()
        self._ticker.stop()
        self._ticker = Ticker(_tick(config), self._sweep)
        self._ticker.arm()  # for calls that wait or run; without any, the first tick is the last
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
        """The workers by state, the queue, the dynamic allocator. Does not read /proc."""
        policy = self._allocator.policy if self._allocator is not None else None
        workers = self._workers.members.values()
        failed = self._failures_of_exited + sum(worker.failures for worker in workers)
        return PoolStats(
            states=Counter(worker.state for worker in workers),
            free=len(self._idle),
            queued=len(self._queue),
            waiting=self._queue.oldest_wait(self._loop.time()),
            waits=tuple(self._waits.counts),
            waited_total=self._waits.total,
            waited_longest=self._waits.longest,
            added=policy.added if policy is not None else 0,
            scale_ups=policy.added_total if policy is not None else 0,
            scale_downs=policy.removed_total if policy is not None else 0,
            calls=self._calls_of_exited + sum(worker.execs for worker in workers),
            failed=failed + self._admission.refused + self._expired,
        )

    async def workers(self) -> list[WorkerInfo]:
        """Every worker whose process has not ended, oldest first."""
        return await infos(self._workers.members.values(), self.name)

    async def reset(self) -> None:
        """Replace all workers. The new ones are ready before the old ones stop, so no call fails.

        Returns when the old ones have exited. One that is still busy after ``reset_timeout`` is killed.

        Raises:
            WorkerStartError: the new ones failed to start; the old ones stay.
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
        """Add a worker, until the server stops.

        Raises:
            TooManyWorkers: the pool has 500 workers.
            WorkerStartError: it failed to start.
        """
        if self._workers.wanted >= MAX_WORKERS:
            raise TooManyWorkers
        await self._workers.add()

    async def remove_worker(self) -> None:
        """Remove a worker; it finishes its call first. The last one stays, as in RoadRunner.

        Returns when its process has exited, or after ``destroy_timeout``.
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

    async def restart_worker(self, pid: int) -> None:
        """Replace one worker; see ``contracts.WorkerPool``."""
        worker = self._running(pid)
        if active(worker.state):
            log.info("worker is replaced", pool=self.name, pid=pid)
            worker.retire(State.INVALID)
            self._stop_when_idle(worker)

    async def kill_worker(self, pid: int) -> None:
        """Kill one worker; see ``contracts.WorkerPool``."""
        worker = self._running(pid)
        call = worker.current_call
        log.warning("worker is killed", pool=self.name, pid=pid, request=call.describe() if call is not None else "")
        worker.kill()

    def _running(self, pid: int) -> Worker:
        worker = self._workers.members.get(pid)
        if worker is None:
            raise NoSuchWorker(self.name, pid)
        return worker

    async def destroy(self, grace: float) -> None:
        """Refuse new calls, wait up to ``grace`` seconds for accepted calls, streams and leases, stop every worker.
        Idempotent."""
        until = self._loop.time() + grace
        for entry in self._queue:
            if isinstance(entry, LeaseRequest):
                entry.fail(PoolClosed(self.name))
        await self._drain.run(grace)
        self._stopped = True
        for entry in self._queue.clear():
            entry.fail(PoolClosed(self.name))
        self._ticker.stop()
        if self._supervisor is not None:
            self._supervisor.stop()
        await self._workers.close(until - self._loop.time())


def _tick(config: PoolConfig) -> float:
    """Seconds between two checks of deadlines."""
    shortest = min(config.exec_ttl() or config.allocate_timeout, config.allocate_timeout) / 10
    if config.dynamic_allocator is not None:
        shortest = min(shortest, config.dynamic_allocator.scale_up_wait / 2)
    return min(max(shortest, _MIN_TICK), _MAX_TICK)
