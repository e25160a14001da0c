"""How many pushed jobs are delayed now. The broker does not tell: they are in queues that servers share."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from math import ceil

_FEW = 1000


class Delays:
    """Counts jobs by the second in which their delay ends.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: Counter[int] = Counter()
        self._most = _FEW  # seconds to keep before those that have passed are removed

    def __repr__(self) -> str:
        return f"Delays({self._due.total()})"

    def add(self, delay: int) -> None:
        """A job was pushed with a delay in seconds."""
        self._due[ceil(self._clock() + delay)] += 1
        if len(self._due) > self._most:
            self.count()
            self._most = 2 * len(self._due) + _FEW

    def count(self) -> int:
        """Jobs whose delay is not over."""
        now = self._clock()
        for second in [second for second in self._due if second <= now]:
            del self._due[second]
        return self._due.total()
