"""``pool.debug``: a new process for every request, so that a change of the code shows at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Coroutine, Mapping

from pyroadrunner.log import Log
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.errors import WorkerRefused
from pyroadrunner.workers.figures import PoolFigures
from pyroadrunner.workers.gate import Gate
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.job import Job
from pyroadrunner.workers.payload import Payload, Reply
from pyroadrunner.workers.pool import MAX_ATTEMPTS
from pyroadrunner.workers.process import STOP_TIMEOUT, Worker
from pyroadrunner.workers.spawn import Spawner
from pyroadrunner.workers.state import State
from pyroadrunner.workers.ticker import Ticker

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
        self._gate = Gate(name, config.max_queue_size)
        self._tasks: set[asyncio.Task[None]] = set()
        self._exec_ttl = config.exec_ttl()
        self._ticker = Ticker(_TICK, self._sweep)

    def __repr__(self) -> str:
        return f"DebugPool({self.name!r}, {list(self._members.values())})"

    async def exec(self, payload: Payload, label: tuple[str, bytes] | None = None, caller: int = 0) -> Reply:
        """Start a worker, run the request on it. Raises as ``Pool.exec``, and :class:`WorkerStartError`."""
        self._gate.enter(payload)
        job = Job(payload, label, self._loop.create_future(), self._loop.time(), caller)
        try:
            await self._run(job)
            return await job.answer
        except asyncio.CancelledError:
            job.drop_stream()
            raise
        finally:
            self._gate.leave()

    async def drop_departed(self, connected: Collection[int]) -> int:
        """Nobody waits here: each request has a worker of its own."""
        return 0

    async def _run(self, job: Job) -> None:
        worker = await self._spawner.spawn()
        worker.owner = self
        worker.job_limit = 1
        worker.stream_timeout = self._config.stream_timeout
        self._members[worker.pid] = worker
        worker.run(job)
        if self._exec_ttl:
            self._ticker.arm()

    # Owner

    def freed(self, worker: Worker) -> None:
        self._background(worker.stop())

    def again(self, job: Job) -> None:
        if job.attempts >= MAX_ATTEMPTS:
            job.fail(WorkerRefused(job.attempts))
        else:
            self._background(self._run_again(job))

    async def _run_again(self, job: Job) -> None:
        try:
            await self._run(job)
        except Exception as error:  # whatever it is, somebody waits for the answer
            job.fail(error)

    def broken(self, worker: Worker) -> None:
        pass  # nobody replaces it

    def gone(self, worker: Worker) -> None:
        self._members.pop(worker.pid, None)

    def _sweep(self, now: float) -> bool:
        for worker in list(self._members.values()):
            if worker.exceeds(now, self._exec_ttl):
                worker.expire(self._exec_ttl)
        return bool(self._members)

    # steering

    def reconfigure(self, config: PoolConfig) -> None:
        """Take over limits and timeouts."""
        self._config = config
        self._gate.limit = config.max_queue_size
        self._spawner.timeout = config.allocate_timeout
        self._exec_ttl = config.exec_ttl()
        if self._exec_ttl and self._members:
            self._ticker.arm()

    async def figures(self) -> PoolFigures:
        """Nobody waits here: every request gets a process."""
        return PoolFigures()

    async def workers(self) -> list[WorkerInfo]:
        """Those that run a request right now."""
        return [worker.info(self.name) for worker in self._members.values()]

    def states(self) -> Mapping[State, int]:
        """Those of the workers that run a request right now."""
        return Counter(worker.state for worker in self._members.values())

    async def reset(self) -> None:
        """Nothing to do: every request starts with new code."""

    async def add_worker(self) -> None:
        log.warning("a pool in debug mode has no workers to add", pool=self.name)

    async def remove_worker(self) -> None:
        log.warning("a pool in debug mode has no workers to remove", pool=self.name)

    async def destroy(self, grace: float) -> None:
        """Refuse new requests, give running ones ``grace`` seconds, stop every worker. Idempotent."""
        if not await self._gate.close(grace):
            log.warning("requests are given up: the grace period is over", pool=self.name, requests=self._gate.load)
        self._ticker.stop()
        members = list(self._members.values())
        await asyncio.gather(*(worker.stop(0.0 if worker.busy else STOP_TIMEOUT) for worker in members))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _background(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
