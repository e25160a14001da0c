"""Checks workers every ``watch_tick`` and replaces those that exceed a limit.

RoadRunner needs two ticks to remove an idle worker, and the pool is one short until the next has started. Here the
replacement is ready first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyroadrunner.log import Log
from pyroadrunner.workers.config import SupervisorConfig
from pyroadrunner.workers.limits import WorkerUsage, limit_reached
from pyroadrunner.workers.state import State, active
from pyroadrunner.workers.worker import Worker
from pyroadrunner.workers.worker_set import WorkerSet

log = Log("server")


class Supervisor:
    """Checks the workers of one pool.

    Args:
        stop_when_idle: stops a worker that was retired, once its call has ended.
    """

    def __init__(self, limits: SupervisorConfig, workers: WorkerSet, stop_when_idle: Callable[[Worker], None]) -> None:
        self._limits = limits
        self._workers = workers
        self._stop_when_idle = stop_when_idle
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start checking, if a soft limit is set."""
        if self._limits.ttl or self._limits.idle_ttl or self._limits.max_worker_memory:
            self._task = asyncio.get_running_loop().create_task(self._watch())

    def stop(self) -> None:
        """Stop checking. Idempotent."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._limits.watch_tick)
            self.check(asyncio.get_running_loop().time())

    def check(self, now: float) -> None:
        """Replace every worker that has reached a limit."""
        for worker in list(self._workers.members.values()):
            if not active(worker.state):
                continue
            serving = worker.state is State.WORKING or worker.lease is not None
            idle = None if serving or worker.free_since is None else now - worker.free_since
            memory = worker.memory() if self._limits.max_worker_memory else 0
            reason = limit_reached(WorkerUsage(now - worker.started, idle, memory), self._limits)
            if reason is not None:
                log.debug("worker has reached a limit", pid=worker.pid, limit=reason.label, memory=memory)
                self._workers.replace(worker, reason, self._stop_when_idle)
