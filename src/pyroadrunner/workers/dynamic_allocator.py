"""``pool.dynamic_allocator``: adds workers while requests queue, stops them when fewer will do.

:class:`ScalingPolicy` decides and is pure; :class:`DynamicAllocator` acts.

RoadRunner adds workers after a request has waited the whole ``allocate_timeout`` (a minute) in vain, when its client
has long gone, and ``idle_timeout`` after the last addition all of them leave, needed or not. Here the wait of the
oldest request decides (``scale_up_wait``), and workers leave in steps, as many as the busiest moment of the last
``idle_timeout`` did not need. What keeps it from swinging: additions come one after the other, each has
``scale_up_wait`` to help once its workers are up, and every change starts a new ``idle_timeout``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyroadrunner.log import Log
from pyroadrunner.workers.config import MAX_WORKERS, DynamicAllocatorConfig
from pyroadrunner.workers.errors import WorkerStartError
from pyroadrunner.workers.worker_set import WorkerSet

MIN_BACKOFF = 1.0  # seconds without an attempt after workers did not come up; doubled each time
MAX_BACKOFF = 30.0


class ScalingPolicy:
    """How many workers a pool has on top of ``num_workers``.

    Attributes:
        limit: how many there may be.
        added: how many were added and have not left.
        starting: how many are being started.
        added_total, removed_total: how many were added and let go so far.
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
        """Take over other settings; ``None`` = none are added any more, and all leave."""
        self.limit = config.max_workers if config is not None else 0
        self._config = config or self._config

    def grow(self, now: float, *, waited: float, queued: int, room: int) -> int:
        """Workers to start now; :meth:`on_started` must tell how that went.

        Args:
            now: seconds of any steady clock.
            waited: seconds the oldest request in the queue has been waiting.
            queued: requests in the queue.
            room: workers the pool may have beyond those it has.
        """
        if self.starting or waited < self._config.scale_up_wait or now < self._not_before:
            return 0
        count = max(0, min(self._config.spawn_rate, self.limit - self.added, queued, room))
        self.starting = count
        return count

    def on_started(self, now: float, joined: int) -> None:
        """Those that were started are up, or not.

        Args:
            joined: how many are.
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
        """Workers to let go now. To be asked again and again while there are ``added`` ones.

        Args:
            needed: requests that run or wait at this moment.
            workers: how many the pool has, the extra ones among them.
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
    """Of one pool.

    Args:
        stop_surplus: called when there is one worker more than wanted, or several.
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
        """Do what there is to do at this moment; whether to look again soon, also when no request waits.

        Args:
            now: the loop's time.
            waited: seconds the oldest request in the queue has been waiting; 0 = there is none.
            queued: requests in the queue.
            idle: workers without a request.
        """
        policy, workers = self.policy, self._workers
        if count := policy.grow(now, waited=waited, queued=queued, room=MAX_WORKERS - workers.wanted):
            log.debug("workers are added: requests wait", pool=self._pool, adding=count, waited=round(waited, 3))
            workers.add_many(count, self._on_started)
        alive = workers.alive()
        if count := policy.shrink(now, needed=alive - idle + queued, workers=alive):
            log.debug("added workers leave: they are not needed", pool=self._pool, removed=count, left=policy.added)
            workers.wanted = max(1, workers.wanted - count)  # one may have been removed by hand
            self._stop_surplus()
        return policy.added + policy.starting > 0

    def _on_started(self, joined: int, error: WorkerStartError | None) -> None:
        self.policy.on_started(asyncio.get_running_loop().time(), joined)
        if error is not None:
            log.warning("workers could not be added", pool=self._pool, added=joined, error=str(error))
