"""``pool.dynamic_allocator``: adds workers while calls wait, and stops them when fewer are enough.

:class:`ScalingPolicy` decides and is pure; :class:`DynamicAllocator` acts.

RoadRunner adds workers when a request has waited the whole ``allocate_timeout`` (a minute), long after its client has
disconnected. It stops all of them ``idle_timeout`` after the last addition, needed or not. Here the wait of the oldest
call decides (``scale_up_wait``), and workers are stopped in steps: as many as the busiest moment of the last
``idle_timeout`` did not need. Two rules prevent oscillation: the next workers are added only ``scale_up_wait`` after
the last ones have started, and every change starts a new ``idle_timeout``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyroadrunner.log import Log
from pyroadrunner.workers.config import MAX_WORKERS, DynamicAllocatorConfig
from pyroadrunner.workers.errors import WorkerStartError
from pyroadrunner.workers.worker_set import WorkerSet

MIN_BACKOFF = 1.0  # seconds before the next attempt after a failed start; doubled each time
MAX_BACKOFF = 30.0


class ScalingPolicy:
    """How many workers a pool has on top of ``num_workers``.

    Attributes:
        limit: how many may be added.
        added: how many were added and not stopped.
        starting: how many are being started.
        added_total, removed_total: how many were added and stopped so far.
    """

    def __init__(self, config: DynamicAllocatorConfig) -> None:
        self.limit = config.max_workers
        self.added = 0
        self.starting = 0
        self.added_total = 0
        self.removed_total = 0
        self._config = config
        self._not_before = 0.0  # no addition until then
        self._failures = 0  # in a row
        self._since = 0.0  # start of the idle_timeout that runs
        self._peak = 0  # most workers that were needed at one moment since then

    def __repr__(self) -> str:
        return f"ScalingPolicy(added={self.added}+{self.starting} of {self.limit})"

    def reconfigure(self, config: DynamicAllocatorConfig | None) -> None:
        """Apply new settings; ``None`` = add no more workers and stop all that were added."""
        self.limit = config.max_workers if config is not None else 0
        self._config = config or self._config

    def grow(self, now: float, *, waited: float, queued: int, room: int) -> int:
        """How many workers to start now; call :meth:`on_started` with the outcome.

        Args:
            now: seconds of any steady clock.
            waited: seconds the oldest call in the queue has been waiting.
            queued: calls in the queue.
            room: workers that the pool may still add.
        """
        if self.starting or waited < self._config.scale_up_wait or now < self._not_before:
            return 0
        count = max(0, min(self._config.spawn_rate, self.limit - self.added, queued, room))
        self.starting = count
        return count

    def on_started(self, now: float, joined: int) -> None:
        """The starts that :meth:`grow` asked for are over.

        Args:
            joined: how many succeeded.
        """
        failed = joined < self.starting
        self.starting = 0
        self.added += joined
        self.added_total += joined
        self._failures = self._failures + 1 if failed else 0
        pause = min(MIN_BACKOFF * 2 ** (self._failures - 1), MAX_BACKOFF) if failed else self._config.scale_up_wait
        self._not_before = now + pause
        if joined:
            self._begin(now)

    def shrink(self, now: float, *, needed: int, workers: int) -> int:
        """How many workers to stop now. Call it regularly while there are ``added`` ones.

        Args:
            needed: calls that run or wait at this moment.
            workers: size of the pool, added workers included.
        """
        if not self.added:
            return 0
        self._peak = max(self._peak, needed)
        count = self.added - self.limit
        if count <= 0:
            if now - self._since < self._config.idle_timeout or self.starting:
                return 0
            count = max(0, min(self._config.spawn_rate, self.added, workers - self._peak))
        self.added -= count
        self.removed_total += count
        self._begin(now, needed)
        return count

    def _begin(self, now: float, needed: int = 0) -> None:
        self._since = now
        self._peak = needed


log = Log("server")


class DynamicAllocator:
    """Adds and stops workers of one pool, as its :class:`ScalingPolicy` decides.

    Args:
        stop_surplus: called when the pool has more workers than wanted.
    """

    def __init__(
        self, pool: str, config: DynamicAllocatorConfig, workers: WorkerSet, stop_surplus: Callable[[], None]
    ) -> None:
        self.policy = ScalingPolicy(config)
        self._pool = pool
        self._workers = workers
        self._stop_surplus = stop_surplus

    def __repr__(self) -> str:
        return f"DynamicAllocator({self._pool!r}, {self.policy!r})"

    def check(self, now: float, *, waited: float, queued: int, idle: int) -> bool:
        """Add or stop workers, if it is time to.

        Returns:
            whether to check again soon, even if no call waits.

        Args:
            now: the loop's time.
            waited: seconds the oldest call in the queue has been waiting; 0 = the queue is empty.
            queued: calls in the queue.
            idle: workers without a call.
        """
        policy, workers = self.policy, self._workers
        if count := policy.grow(now, waited=waited, queued=queued, room=MAX_WORKERS - workers.wanted):
            log.debug("adding workers: requests are waiting", pool=self._pool, adding=count, waited=round(waited, 3))
            workers.add_many(count, self._on_started)
        alive = workers.alive()
        if count := policy.shrink(now, needed=alive - idle + queued, workers=alive):
            log.debug("stopping added workers: no longer needed", pool=self._pool, removed=count, left=policy.added)
            workers.wanted = max(1, workers.wanted - count)  # a user may have removed one
            self._stop_surplus()
        return policy.added + policy.starting > 0

    def _on_started(self, joined: int, error: WorkerStartError | None) -> None:
        self.policy.on_started(asyncio.get_running_loop().time(), joined)
        if error is not None:
            log.warning("workers could not be added", pool=self._pool, added=joined, error=str(error))
