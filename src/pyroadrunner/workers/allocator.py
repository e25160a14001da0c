"""Adds workers to a pool and lets them go, as ``autoscaler.py`` says (``pool.dynamic_allocator``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyroadrunner.log import Log
from pyroadrunner.workers.autoscaler import Autoscaler
from pyroadrunner.workers.config import MAX_WORKERS, DynamicAllocatorConfig
from pyroadrunner.workers.errors import WorkerStartError
from pyroadrunner.workers.worker_set import WorkerSet

log = Log("server")


class Allocator:
    """Of one pool.

    Args:
        stop_surplus: called when there is one worker more than wanted, or several.
    """

    def __init__(
        self, pool: str, config: DynamicAllocatorConfig, workers: WorkerSet, stop_surplus: Callable[[], None]
    ) -> None:
        self.scaler = Autoscaler(config)
        self._pool = pool
        self._workers = workers
        self._stop_surplus = stop_surplus

    def __repr__(self) -> str:
        return f"Allocator({self._pool!r}, {self.scaler!r})"

    def check(self, now: float, *, waited: float, queued: int, idle: int) -> bool:
        """Do what there is to do at this moment; whether to look again soon, also when no request waits.

        Args:
            now: the loop's time.
            waited: seconds the oldest request in the queue has been waiting; 0 = there is none.
            queued: requests in the queue.
            idle: workers without a request.
        """
        scaler, workers = self.scaler, self._workers
        if count := scaler.grow(now, waited=waited, queued=queued, room=MAX_WORKERS - workers.wanted):
            log.debug("workers are added: requests wait", pool=self._pool, adding=count, waited=round(waited, 3))
            workers.add_many(count, self._came)
        alive = workers.alive()
        if count := scaler.shrink(now, needed=alive - idle + queued, workers=alive):
            log.debug("added workers leave: they are not needed", pool=self._pool, removed=count, left=scaler.extra)
            workers.wanted = max(1, workers.wanted - count)  # one may have been removed by hand
            self._stop_surplus()
        return scaler.extra + scaler.coming > 0

    def _came(self, joined: int, error: WorkerStartError | None) -> None:
        self.scaler.came(asyncio.get_running_loop().time(), joined)
        if error is not None:
            log.warning("workers could not be added", pool=self._pool, added=joined, error=str(error))
