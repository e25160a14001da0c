"""Grows a pool while requests queue, shrinks it when fewer workers do. Decides only; ``allocator.py`` acts. Pure.

RoadRunner adds workers after a request has waited the whole ``allocate_timeout`` (a minute) in vain, when its client
has long gone, and ``idle_timeout`` after the last addition all of them leave, needed or not. Here the wait of the
oldest request decides (``scale_up_wait``), and workers leave in steps, as many as the busiest moment of the last
``idle_timeout`` did not need. What keeps it from swinging: additions come one after the other, each has
``scale_up_wait`` to help once its workers are up, and every change starts a new ``idle_timeout``.
"""

from __future__ import annotations

from pyroadrunner.workers.config import DynamicAllocatorConfig

FIRST_PAUSE = 1.0  # seconds without an attempt after workers did not come up; doubled each time
LONGEST_PAUSE = 30.0


class Autoscaler:
    """How many workers a pool has on top of ``num_workers``.

    Attributes:
        limit: how many there may be.
        extra: how many were added and have not left.
        coming: how many are being started.
        ups, downs: how many were added and let go so far.
    """

    def __init__(self, config: DynamicAllocatorConfig) -> None:
        self.limit = config.max_workers
        self.extra = 0
        self.coming = 0
        self.ups = 0
        self.downs = 0
        self._config = config
        self._not_before = 0.0  # no addition until then
        self._failures = 0  # in a row
        self._since = 0.0  # start of the idle_timeout that runs
        self._peak = 0  # most workers that were needed at one moment since then

    def __repr__(self) -> str:
        return f"Autoscaler(extra={self.extra}+{self.coming} of {self.limit})"

    def reconfigure(self, config: DynamicAllocatorConfig | None) -> None:
        """Take over other settings; ``None`` = none are added any more, and all leave."""
        self.limit = config.max_workers if config is not None else 0
        self._config = config or self._config

    def grow(self, now: float, *, waited: float, queued: int, room: int) -> int:
        """Workers to start now; :meth:`came` must tell how that went.

        Args:
            now: seconds of any steady clock.
            waited: seconds the oldest request in the queue has been waiting.
            queued: requests in the queue.
            room: workers the pool may have beyond those it has.
        """
        if self.coming or waited < self._config.scale_up_wait or now < self._not_before:
            return 0
        count = max(0, min(self._config.spawn_rate, self.limit - self.extra, queued, room))
        self.coming = count
        return count

    def came(self, now: float, joined: int) -> None:
        """Those that were started are up, or not.

        Args:
            joined: how many are.
        """
        failed = joined < self.coming
        self.coming = 0
        self.extra += joined
        self.ups += joined
        self._failures = self._failures + 1 if failed else 0
        pause = min(FIRST_PAUSE * 2 ** (self._failures - 1), LONGEST_PAUSE) if failed else self._config.scale_up_wait
        self._not_before = now + pause
        if joined:
            self._begin(now)

    def shrink(self, now: float, *, needed: int, workers: int) -> int:
        """Workers to let go now. To be asked again and again while there are ``extra`` ones.

        Args:
            needed: requests that run or wait at this moment.
            workers: how many the pool has, the extra ones among them.
        """
        if not self.extra:
            return 0
        self._peak = max(self._peak, needed)
        count = self.extra - self.limit
        if count <= 0:
            if now - self._since < self._config.idle_timeout or self.coming:
                return 0
            count = max(0, min(self._config.spawn_rate, self.extra, workers - self._peak))
        self.extra -= count
        self.downs += count
        self._begin(now, needed)
        return count

    def _begin(self, now: float, needed: int = 0) -> None:
        self._since = now
        self._peak = needed
