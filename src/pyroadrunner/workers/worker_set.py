"""Who is alive in a pool: keeps as many workers as wanted, replaces them, and lets them go.

A worker that leaves the ranks (limit reached, crashed, reset) is replaced at once; its process ends in the background.
A command that stopped working (its start fails, or its workers die before they answered anything) is tried again with
growing pauses, for as long as the pool lives: it never shrinks for good.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

from pyroadrunner.log import Log
from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.errors import WorkerStartError
from pyroadrunner.workers.limits import jittered_max_jobs
from pyroadrunner.workers.spawn import Spawner
from pyroadrunner.workers.state import State, active
from pyroadrunner.workers.worker import STOP_TIMEOUT, Worker

_MIN_BACKOFF = 0.1  # seconds before the second try
_MAX_BACKOFF = 5.0
_STABLE_AFTER = 1.0  # seconds after which a worker that got no request counts as working; others have to answer one
_MIN_STOP_TIMEOUT = 1.0  # seconds for workers to stop once the grace period is over

log = Log("server")


class WorkerSet:
    """The workers of one pool.

    Attributes:
        wanted: how many shall be alive.
        members: every worker whose process has not ended, by pid.
    """

    def __init__(self, name: str, config: PoolConfig, spawner: Spawner, on_started: Callable[[Worker], None]) -> None:
        self.wanted = config.workers_wanted()
        self.members: dict[int, Worker] = {}
        self._name = name
        self._config = config
        self._spawner = spawner
        self._on_started = on_started
        self._spawning = 0
        self._failures = 0
        self._replacing: set[int] = set()  # pids of workers whose replacement is on its way
        self._replace_failures = 0
        self._replace_not_before = 0.0
        self._generation = 0  # of the workers' code: what was started before a reset must not join after it
        self._closing = False
        self._starting: set[asyncio.Task[Any]] = set()
        self._stopping: set[asyncio.Task[Any]] = set()
        self._reset = asyncio.Lock()
        self._loop = asyncio.get_running_loop()

    def __repr__(self) -> str:
        return f"WorkerSet({self._name!r}, wanted={self.wanted}, {list(self.members.values())})"

    def alive(self) -> int:
        """Workers that take requests, now or after the running one."""
        return sum(1 for worker in self.members.values() if active(worker.state))

    @property
    def surplus(self) -> bool:
        """Whether one worker more than wanted takes requests."""
        return self.alive() > self.wanted

    # -- joining -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all wanted workers at once.

        Raises:
            WorkerStartError: one did not come up; the others are killed.
        """
        for worker in await self._spawn(self.wanted):
            self._add(worker)

    def reconfigure(self, config: PoolConfig) -> None:
        """Take over sizes, limits and timeouts. Workers that were added or removed on top of ``num_workers``, by hand
        or by the allocator, stay so."""
        old, self._config = self._config, config
        self.wanted = max(1, self.wanted + config.workers_wanted() - old.workers_wanted())
        for worker in self.members.values():
            self._apply_limits(worker)
        self.start_missing()

    def start_missing(self) -> None:
        """Replace who is missing, in the background."""
        if self._closing:
            return
        for _ in range(self.wanted - self.alive() - self._spawning):
            self._spawning += 1
            self._background(self._start_one(), self._starting)

    async def add(self) -> None:
        """One more, once it is there.

        Raises:
            WorkerStartError: it did not come up; as many are wanted as before.
        """
        worker = await self._spawn_current()
        self.wanted += 1
        self._add(worker)

    def add_many(self, count: int, done: Callable[[int, WorkerStartError | None], None]) -> None:
        """So many more, in the background.

        Args:
            done: gets how many came up, and why another did not.
        """
        self._background(self._add_many(count, done), self._starting)

    async def _add_many(self, count: int, done: Callable[[int, WorkerStartError | None], None]) -> None:
        results = await asyncio.gather(*(self.add() for _ in range(count)), return_exceptions=True)
        errors = [result for result in results if isinstance(result, WorkerStartError)]
        done(sum(1 for result in results if result is None), errors[0] if errors else None)

    async def _spawn(self, count: int) -> list[Worker]:
        """All or none. Safe to cancel."""
        if self._closing:
            raise WorkerStartError(self._spawner.command, "the pool is stopping")
        tasks = [self._loop.create_task(self._spawner.spawn()) for _ in range(count)]
        for task in tasks:  # close() cancels them, whoever asked for them
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)
        try:
            results = await asyncio.gather(*tasks, return_exceptions=True)
        except asyncio.CancelledError:  # the tasks are cancelled too, but for those that were done: nobody's workers
            await self._discard([task.result() for task in tasks if not task.cancelled() and not task.exception()])
            raise
        workers = [result for result in results if isinstance(result, Worker)]
        errors = [result for result in results if isinstance(result, BaseException)]
        if errors or self._closing:
            await self._discard(workers)
            raise WorkerStartError(self._spawner.command, "the pool is stopping") if self._closing else errors[0]
        return workers

    async def _spawn_current(self) -> Worker:
        """One that was started after the last reset."""
        while True:
            generation = self._generation
            [worker] = await self._spawn(1)
            if generation == self._generation:
                return worker
            await self._discard([worker])

    async def _start_one(self) -> None:
        try:
            while not self._closing:
                if self._failures:
                    await asyncio.sleep(_backoff(self._failures))
                if self.alive() >= self.wanted:
                    return
                try:
                    worker = await self._spawn_current()
                except WorkerStartError as error:
                    self._failures += 1
                    log.error(
                        "failed to allocate the worker", pool=self._name, failures=self._failures, error=str(error)
                    )
                    continue
                if self.alive() < self.wanted:
                    self._add(worker)
                else:  # a reset was quicker
                    await self._discard([worker])
                return
        finally:
            self._spawning -= 1

    def _add(self, worker: Worker) -> None:
        if worker.exited:  # while its siblings booted
            self.on_failed(worker)
            return
        self._apply_limits(worker)
        self.members[worker.pid] = worker
        if not active(worker.state):  # it is on its way out
            self._count_failure(worker)
        self._on_started(worker)

    def _apply_limits(self, worker: Worker) -> None:
        worker.max_jobs = jittered_max_jobs(self._config.max_jobs, random.randrange(100))
        worker.stream_timeout = self._config.stream_timeout

    async def _discard(self, workers: list[Worker]) -> None:
        """Stop workers that never joined. When cancelled, they are stopped in the background; close() waits for it."""
        tasks = [self._background(worker.stop(), self._stopping) for worker in workers]
        if tasks:
            await asyncio.wait(tasks)

    # -- leaving -------------------------------------------------------------------------------------------------------

    def stop_and_replace(self, worker: Worker) -> None:
        """It takes no more requests and runs none: stop it in the background, have it replaced."""
        self._background(worker.stop(), self._stopping)
        self.start_missing()

    def on_failed(self, worker: Worker) -> None:
        """It failed: have it replaced, at once if it had proved to work."""
        self._count_failure(worker)
        self.start_missing()

    def _count_failure(self, worker: Worker) -> None:
        stable = worker.answers > 0 or (worker.execs == 0 and self._loop.time() - worker.started >= _STABLE_AFTER)
        self._failures = 0 if stable else self._failures + 1

    def on_exited(self, worker: Worker) -> None:
        """Its process has ended."""
        self.members.pop(worker.pid, None)

    def replace(self, worker: Worker, reason: State, release: Callable[[Worker], None]) -> None:
        """Bring in another, then let ``worker`` go: at no moment there is one less. To be called again as long as the
        worker is there: nothing happens while its replacement starts, or soon after one has failed to.

        Args:
            release: what to do with it once the state ``reason`` is set (it may still run a request).
        """
        if worker.pid not in self._replacing and self._loop.time() >= self._replace_not_before:
            self._replacing.add(worker.pid)
            self._background(self._replace(worker, reason, release), self._starting)

    async def _replace(self, worker: Worker, reason: State, release: Callable[[Worker], None]) -> None:
        try:
            replacement = await self._spawn_current()
        except WorkerStartError as error:
            self._replace_failures += 1
            self._replace_not_before = self._loop.time() + _backoff(self._replace_failures)
            log.error("failed to allocate the worker", pool=self._name, replaces=worker.pid, error=str(error))
            return  # the old one stays: better than none
        finally:
            self._replacing.discard(worker.pid)
        self._replace_failures = 0
        if active(worker.state):
            worker.retire(reason)
            self._add(replacement)
            release(worker)
        elif self.alive() < self.wanted:
            self._add(replacement)
        else:
            await self._discard([replacement])

    # Outside the lock: the next reset need not wait for them.
    async def replace_all(self, release: Callable[[Worker], None]) -> None:
        """Replace all workers: the new ones are ready before the old ones go. Old requests are finished, for
        ``reset_timeout`` seconds at most.

        Args:
            release: what to do with an old worker once it is INVALID (it may still run a request).

        Raises:
            WorkerStartError: the new ones do not come up; the old ones stay.
        """
        async with self._reset:
            self._generation += 1
            old = [worker for worker in self.members.values() if active(worker.state)]
            started = await self._spawn(max(len(old), self.wanted))
            for worker in old:
                if active(worker.state):
                    worker.retire(State.INVALID)
                    self._add(started.pop())
                    release(worker)
            while started and self.alive() < self.wanted:  # some old workers have crashed, or were missing before
                self._add(started.pop())
            self._failures = 0
            await self._discard(started)  # after the last _add: close() may run while this waits
        await self._wait_or_kill(old, self._config.reset_timeout)

    async def _wait_or_kill(self, workers: list[Worker], timeout: float) -> None:
        """Wait until the processes have ended; kill those that have not in time."""
        until = self._loop.time() + timeout
        for worker in workers:
            if await worker.wait_exited(until - self._loop.time()):
                continue
            log.warning("worker is killed: still busy after the reset", pid=worker.pid, reset_timeout=timeout)
            worker.kill()
            await worker.wait_exited(None)

    async def close(self, timeout: float) -> None:
        """Stop every worker, in order: idle ones exit on the stop frame; what still runs a request is killed.

        Args:
            timeout: seconds idle workers have to exit. Idempotent.
        """
        self._closing = True
        joining = list(self._starting)
        for task in joining:
            task.cancel()
        await asyncio.gather(*joining, return_exceptions=True)
        limit = min(max(timeout, _MIN_STOP_TIMEOUT), STOP_TIMEOUT)
        await asyncio.gather(*(worker.stop(0.0 if worker.busy else limit) for worker in list(self.members.values())))
        await asyncio.gather(*self._stopping, return_exceptions=True)

    def _background(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[Any]]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task


def _backoff(failures: int) -> float:
    """Seconds until the next try after so many failures in a row; grows."""
    return min(_MIN_BACKOFF * 2.0 ** min(failures - 1, 16), _MAX_BACKOFF)
