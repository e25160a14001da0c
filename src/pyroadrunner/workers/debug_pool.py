"""``pool.debug``: a new process for every call, so that a change of the code takes effect immediately."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine

from pyroadrunner.log import Log
from pyroadrunner.workers.admission import Admission
from pyroadrunner.workers.call import Call, OnCancel, Receiver, ReplyRule, Submission, drop_stream, new_call
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.drain import Drain
from pyroadrunner.workers.errors import LeaseEnded, NoSuchWorker, PoolClosed, WorkerRefused
from pyroadrunner.workers.events import PoolEvent, Subscribers, WorkerGone, WorkerReady
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.lease import Lease, LeaseReceiver, LeaseRequest, check_leased
from pyroadrunner.workers.payload import Payload, Reply
from pyroadrunner.workers.pool import MAX_ATTEMPTS
from pyroadrunner.workers.spawn import Spawner
from pyroadrunner.workers.stats import PoolStats
from pyroadrunner.workers.ticker import Ticker
from pyroadrunner.workers.worker import STOP_TIMEOUT, Worker, infos

_TICK = 0.05  # seconds between two checks of exec_ttl

log = Log("server")


class DebugPool:
    """Implements ``contracts.WorkerPool`` with a process per call, at most ``max_queue_size`` at a time."""

    def __init__(self, name: str, config: PoolConfig, spawner: Spawner) -> None:
        self.name = name
        self._config = config
        self._spawner = spawner
        self._loop = asyncio.get_running_loop()
        self._members: dict[int, Worker] = {}
        self._calls_of_exited = 0  # calls that processes were given which have exited since
        self._failures_of_exited = 0
        self._admission = Admission(name, config.max_queue_size)
        self._subscribers = Subscribers()
        self._drain = Drain(name, self._admission, self._members)
        self._lease_requests: set[LeaseRequest] = set()  # whose processes are starting
        self._starting: set[asyncio.Timeout] = set()  # cancel starts when the grace is over
        self._stopped = False  # the grace is over
        self._tasks: set[asyncio.Task[None]] = set()
        self._exec_ttl = config.exec_ttl()
        self._ticker = Ticker(_TICK, self._sweep)

    def __repr__(self) -> str:
        return f"DebugPool({self.name!r}, {list(self._members.values())})"

    async def exec(
        self,
        payload: Payload,
        *,
        timeout: float | None = None,
        on_cancel: OnCancel = OnCancel.FINISH,
        describe: Callable[[], str] | None = None,
        priority: int = 0,
    ) -> Reply:
        """Start a worker and run the call on it. Raises what ``Pool.exec`` raises, and :class:`WorkerStartError`."""
        self._admission.enter(payload)
        answer: asyncio.Future[Reply] = self._loop.create_future()
        call = Call(payload, answer, self._loop.time(), timeout, describe)
        try:
            await self._run(call)
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
        """Start a worker, run the call, give its outcome to a receiver; see ``contracts.WorkerPool``."""
        self._admission.enter(payload)
        submission = Submission(receiver, self._admission.leave)
        submission.call = call = new_call(rule, payload, submission, self._loop.time(), timeout, receiver, priority)
        self._background(self._run_or_fail(call))
        return submission

    def _cancelled(self, call: Call, on_cancel: OnCancel) -> None:
        for worker in self._members.values():
            if on_cancel is OnCancel.KILL and worker.runs(call):
                worker.kill()
                return

    def lease(self, *, priority: int = 0, timeout: float | None = None) -> LeaseRequest:
        """Start a worker and hold it: ``async with pool.lease() as lease``; see ``contracts.WorkerPool``."""
        return LeaseRequest(self, priority, timeout)

    def request_lease(self, receiver: LeaseReceiver, *, priority: int = 0, timeout: float | None = None) -> None:
        """Give the lease of a worker to a receiver; see ``contracts.WorkerPool``."""
        LeaseRequest(self, priority, timeout).start(receiver)

    def subscribe(self, listener: Callable[[PoolEvent], None]) -> Callable[[], None]:
        """Call ``listener`` with each event; see ``contracts.WorkerPool``."""
        return self._subscribers.subscribe(listener)

    # Leasing

    def enter_queue(self, request: LeaseRequest) -> None:
        if self._admission.closed:
            raise PoolClosed(self.name)
        self._background(self._lease(request))

    async def _lease(self, request: LeaseRequest) -> None:
        self._lease_requests.add(request)
        try:
            worker = await self._start()
        except Exception as error:  # of any kind: the caller waits for it
            request.fail(error)
            return
        finally:
            self._lease_requests.discard(request)
        if request.answer.done():
            await worker.stop()
            return
        worker.lease = lease = Lease(worker, self)
        request.answer.set_result(lease)

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
            lease.worker.run(call)
            self._watch(call)
            return await answer
        except asyncio.CancelledError:
            drop_stream(answer)
            self._cancelled(call, on_cancel)
            raise

    def submit_leased(self, lease: Lease, payload: Payload, receiver: Receiver, timeout: float | None) -> Submission:
        check_leased(lease, payload)
        submission = Submission(receiver)
        submission.call = call = Call(payload, submission, self._loop.time(), timeout, receiver.describe, leased=True)
        lease.worker.run(call)
        self._watch(call)
        return submission

    def end_lease(self, lease: Lease) -> None:
        lease.worker.lease = None
        if not lease.worker.busy:
            self._background(lease.worker.stop())
        self._drain.check()

    async def _run(self, call: Call) -> None:
        worker = await self._start()
        worker.max_jobs = 1
        worker.run(call)
        self._watch(call)

    async def _start(self) -> Worker:
        """Start a process.

        Raises:
            WorkerStartError.
            PoolClosed: the pool stopped first.
        """
        if self._stopped:
            raise PoolClosed(self.name)
        try:
            async with asyncio.timeout(None) as limit:
                self._starting.add(limit)
                try:
                    worker = await self._spawner.spawn()
                finally:
                    self._starting.discard(limit)
        except TimeoutError:
            raise PoolClosed(self.name) from None
        if self._stopped:  # in this very turn of the loop
            await worker.stop(0.0)
            raise PoolClosed(self.name)
        worker.owner = self
        worker.stream_timeout = self._config.stream_timeout
        self._members[worker.pid] = worker
        self._subscribers.emit(WorkerReady(self.name, worker.pid))
        return worker

    def _watch(self, call: Call) -> None:
        if self._exec_ttl or call.timeout:
            self._ticker.arm()

    # Owner

    def on_free(self, worker: Worker) -> None:
        if worker.lease is None:
            self._background(worker.stop())
        self._drain.check()

    def requeue(self, worker: Worker, call: Call) -> None:
        if call.answer.done():
            return
        if call.leased:
            call.fail(LeaseEnded(worker.pid, "the worker handed the call back"))
        elif call.attempts >= MAX_ATTEMPTS:
            call.fail(WorkerRefused(call.attempts))
        else:
            self._background(self._run_or_fail(call))

    async def _run_or_fail(self, call: Call) -> None:
        try:
            await self._run(call)
        except Exception as error:  # of any kind: the caller waits for it
            call.fail(error)

    def on_failed(self, worker: Worker) -> None:
        pass  # it is not replaced

    def on_exited(self, worker: Worker) -> None:
        self._members.pop(worker.pid, None)
        self._calls_of_exited += worker.execs
        self._failures_of_exited += worker.failures
        cause = (worker.cause or worker.state).label
        self._subscribers.emit(WorkerGone(self.name, worker.pid, cause, worker.exit_status))
        self._drain.check()

    def _sweep(self, now: float) -> bool:
        for worker in list(self._members.values()):
            worker.expire(now, self._exec_ttl)
        return bool(self._members)

    # Control

    def reconfigure(self, config: PoolConfig) -> None:
        """Apply new limits and timeouts."""
        self._config = config
        self._admission.limit = config.max_queue_size
        self._spawner.timeout = config.allocate_timeout
        self._exec_ttl = config.exec_ttl()
        if self._exec_ttl and self._members:
            self._ticker.arm()

    async def stats(self) -> PoolStats:
        """The running processes by state. No call waits: each gets a process."""
        workers = self._members.values()
        failed = self._failures_of_exited + sum(worker.failures for worker in workers)
        return PoolStats(
            states=Counter(worker.state for worker in workers),
            calls=self._calls_of_exited + sum(worker.execs for worker in workers),
            failed=failed + self._admission.refused,
        )

    async def workers(self) -> list[WorkerInfo]:
        """The processes that run a call."""
        return await infos(self._members.values(), self.name)

    async def reset(self) -> None:
        """Do nothing: every call runs new code."""

    async def add_worker(self) -> None:
        log.warning("a pool in debug mode has no workers to add", pool=self.name)

    async def remove_worker(self) -> None:
        log.warning("a pool in debug mode has no workers to remove", pool=self.name)

    async def restart_worker(self, pid: int) -> None:
        """Do nothing: the process ends with its call."""
        self._running(pid)

    async def kill_worker(self, pid: int) -> None:
        """Kill one process; its call fails."""
        self._running(pid).kill()

    def _running(self, pid: int) -> Worker:
        worker = self._members.get(pid)
        if worker is None:
            raise NoSuchWorker(self.name, pid)
        return worker

    async def destroy(self, grace: float) -> None:
        """Refuse new calls, wait up to ``grace`` seconds for running ones, stop every worker. Idempotent."""
        for request in self._lease_requests:
            request.fail(PoolClosed(self.name))
        await self._drain.run(grace)
        self._stopped = True
        self._ticker.stop()
        for limit in self._starting:
            limit.reschedule(self._loop.time())
        members = list(self._members.values())
        await asyncio.gather(*(worker.stop(0.0 if worker.busy else STOP_TIMEOUT) for worker in members))
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._admission.close(STOP_TIMEOUT)  # calls whose start has just been cancelled

    def _background(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
