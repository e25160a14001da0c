"""``pool.debug``: a new process for every request, so that a change of the code shows at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine

from pyroadrunner.log import Log
from pyroadrunner.workers.admission import Admission, check
from pyroadrunner.workers.call import Call, OnCancel
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.errors import LeaseEnded, PoolClosed, WorkerRefused
from pyroadrunner.workers.events import PoolEvent, Subscribers, WorkerGone, WorkerReady
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.lease import Lease, LeaseRequest
from pyroadrunner.workers.payload import Payload, Reply
from pyroadrunner.workers.pool import MAX_ATTEMPTS
from pyroadrunner.workers.spawn import Spawner
from pyroadrunner.workers.stats import PoolStats
from pyroadrunner.workers.ticker import Ticker
from pyroadrunner.workers.worker import STOP_TIMEOUT, Worker

_TICK = 0.05  # seconds between two looks at exec_ttl

log = Log("server")


class DebugPool:
    """Keeps the promises of ``contracts.WorkerPool`` with a process per request, ``max_queue_size`` at once."""

    def __init__(self, name: str, config: PoolConfig, spawner: Spawner) -> None:
        self.name = name
        self._config = config
        self._spawner = spawner
        self._loop = asyncio.get_running_loop()
        self._members: dict[int, Worker] = {}
        self._admission = Admission(name, config.max_queue_size)
        self._subscribers = Subscribers()
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
        """Start a worker, run the request on it. Raises as ``Pool.exec``, and :class:`WorkerStartError`."""
        self._admission.enter(payload)
        call = Call(payload, self._loop.create_future(), self._loop.time(), timeout=timeout, describe=describe)
        try:
            await self._run(call)
            return await call.answer
        except asyncio.CancelledError:
            self._cancelled(call, on_cancel)
            raise
        finally:
            self._admission.leave()

    def _cancelled(self, call: Call, on_cancel: OnCancel) -> None:
        call.drop_stream()
        for worker in self._members.values():
            if on_cancel is OnCancel.KILL and worker.runs(call):
                worker.kill()
                return

    def lease(self, *, priority: int = 0, timeout: float | None = None) -> LeaseRequest:
        """A worker of its own, until it is released."""
        return LeaseRequest(self, priority, timeout)

    def subscribe(self, listener: Callable[[PoolEvent], None]) -> Callable[[], None]:
        """Call ``listener`` with each event; see ``contracts.WorkerPool``."""
        return self._subscribers.subscribe(listener)

    # Leasing

    def enter_queue(self, request: LeaseRequest) -> None:
        if self._admission.closed:
            raise PoolClosed(self.name)
        self._background(self._lease(request))

    async def _lease(self, request: LeaseRequest) -> None:
        try:
            worker = await self._start()
        except Exception as error:  # whatever it is, the caller waits for it
            request.fail(error)
            return
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
        if lease.ended.done():
            raise LeaseEnded(lease.pid, lease.ended.result())
        check(payload)
        call = Call(
            payload, self._loop.create_future(), self._loop.time(), timeout=timeout, describe=describe, leased=True
        )
        try:
            lease.worker.run(call)
            self._watch(call)
            return await call.answer
        except asyncio.CancelledError:
            self._cancelled(call, on_cancel)
            raise

    def end_lease(self, lease: Lease) -> None:
        lease.worker.lease = None
        if not lease.worker.busy:
            self._background(lease.worker.stop())

    async def _run(self, call: Call) -> None:
        worker = await self._start()
        worker.max_jobs = 1
        worker.run(call)
        self._watch(call)

    async def _start(self) -> Worker:
        worker = await self._spawner.spawn()
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

    def requeue(self, worker: Worker, call: Call) -> None:
        if call.leased:
            call.fail(LeaseEnded(worker.pid, "the worker handed the call back"))
        elif call.attempts >= MAX_ATTEMPTS:
            call.fail(WorkerRefused(call.attempts))
        else:
            self._background(self._run_again(call))

    async def _run_again(self, call: Call) -> None:
        try:
            await self._run(call)
        except Exception as error:  # whatever it is, somebody waits for the answer
            call.fail(error)

    def on_failed(self, worker: Worker) -> None:
        pass  # nobody replaces it

    def on_exited(self, worker: Worker) -> None:
        self._members.pop(worker.pid, None)
        cause = (worker.cause or worker.state).label
        self._subscribers.emit(WorkerGone(self.name, worker.pid, cause, worker.exit_status))

    def _sweep(self, now: float) -> bool:
        for worker in list(self._members.values()):
            worker.expire(now, self._exec_ttl)
        return bool(self._members)

    # steering

    def reconfigure(self, config: PoolConfig) -> None:
        """Take over limits and timeouts."""
        self._config = config
        self._admission.limit = config.max_queue_size
        self._spawner.timeout = config.allocate_timeout
        self._exec_ttl = config.exec_ttl()
        if self._exec_ttl and self._members:
            self._ticker.arm()

    async def stats(self) -> PoolStats:
        """No request waits here: each gets a process."""
        return PoolStats(states=Counter(worker.state for worker in self._members.values()))

    async def workers(self) -> list[WorkerInfo]:
        """Those that run a request right now."""
        return [worker.info(self.name) for worker in self._members.values()]

    async def reset(self) -> None:
        """Nothing to do: every request starts with new code."""

    async def add_worker(self) -> None:
        log.warning("a pool in debug mode has no workers to add", pool=self.name)

    async def remove_worker(self) -> None:
        log.warning("a pool in debug mode has no workers to remove", pool=self.name)

    async def destroy(self, grace: float) -> None:
        """Refuse new requests, give running ones ``grace`` seconds, stop every worker. Idempotent."""
        if not await self._admission.close(grace):
            log.warning(
                "requests are given up: the grace period is over", pool=self.name, requests=self._admission.load
            )
        self._ticker.stop()
        members = list(self._members.values())
        await asyncio.gather(*(worker.stop(0.0 if worker.busy else STOP_TIMEOUT) for worker in members))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _background(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
