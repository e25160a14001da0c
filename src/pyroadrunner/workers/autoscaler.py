"""Grows a pool while requests queue, shrinks it when it is idle. Decides only; the pool acts. Pure.

RoadRunner adds workers after a request has waited the whole ``allocate_timeout`` (a minute) in vain, when its client
has long gone. Here the wait of the oldest request decides, and ``idle_timeout`` works as there: so long after the last
addition the extra workers leave again, unless requests queue at that moment.
"""

from __future__ import annotations

from pyroadrunner.workers.config import DynamicAllocatorConfig

PATIENCE = 0.1  # seconds the oldest request may wait before workers are added, and between two additions


class Autoscaler:
    """How many workers a pool should have on top of ``num_workers``.

    Attributes:
        extra: how many were added and have not left.
    """

    def __init__(self, config: DynamicAllocatorConfig) -> None:
        self.extra = 0
        self._config = config
        self._grown_at = 0.0

    def __repr__(self) -> str:
        return f"Autoscaler(extra={self.extra} of {self._config.max_workers})"

    def grow(self, now: float, waited: float) -> int:
        """Workers to add now.

        Args:
            now: seconds of any steady clock.
            waited: seconds the oldest request in the queue has been waiting.
        """
        if waited < PATIENCE or (self.extra and now - self._grown_at < PATIENCE):
            return 0
        count = min(self._config.spawn_rate, self._config.max_workers - self.extra)
        if count > 0:
            self.extra += count
            self._grown_at = now
        return max(count, 0)

    def shrink(self, now: float, *, queued: bool) -> int:
        """Workers to let go now.

        Args:
            queued: whether a request waits for a worker.
        """
        if not self.extra:
            return 0
        if queued:
            self._grown_at = now
        if now - self._grown_at < self._config.idle_timeout:
            return 0
        count, self.extra = self.extra, 0
        return count
