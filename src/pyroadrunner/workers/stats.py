"""What a pool can say about itself without a look at its processes: for health, metrics, the dashboard. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyroadrunner.workers.state import State

# Upper bounds in seconds. From what nobody notices to the allocate_timeout.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class WaitTimes:
    """How long requests have waited for a worker, those that had to.

    Attributes:
        counts: how many by :data:`BOUNDS`, each with those of up to its bound and beyond the bound before; the last is
            beyond all.
        total: seconds, of all together.
        longest: seconds.
    """

    __slots__ = ("counts", "longest", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0
        self.longest = 0.0

    def __repr__(self) -> str:
        return f"WaitTimes({sum(self.counts)}, longest {self.longest:.3f} s)"

    def add(self, seconds: float) -> None:
        """One that has waited so long. On the hot path of a pool that is full."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds
        if seconds > self.longest:
            self.longest = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """A pool's workers, queue and dynamic allocator at one moment.

    Attributes:
        states: workers by state; a state without a worker is left out.
        free: workers that could take a call right now: ready, and held by no lease.
        queued: requests that wait for a worker.
        waiting: seconds the oldest of them has been waiting; 0 = there is none.
        waits: requests that had to wait since the start, by :data:`BOUNDS`, as in :class:`WaitTimes`.
        waited_total, waited_longest: seconds, of all and of one.
        added: workers the dynamic allocator has added and not let go.
        scale_ups, scale_downs: workers it has added and let go since the start.
    """

    states: Mapping[State, int] = field(default_factory=dict)
    free: int = 0
    queued: int = 0
    waiting: float = 0.0
    waits: Sequence[int] = (0,) * (len(BOUNDS) + 1)
    waited_total: float = 0.0
    waited_longest: float = 0.0
    added: int = 0
    scale_ups: int = 0
    scale_downs: int = 0

    @property
    def waited(self) -> int:
        """Requests that had to wait since the start."""
        return sum(self.waits)

    def wait_of(self, share: float) -> float:
        """Seconds that this share of the requests which had to wait did not exceed, to the bound above; 0 = none had.

        Args:
            share: 0.5 for the median.
        """
        least, seen = share * self.waited, 0
        for bound, count in zip(BOUNDS, self.waits, strict=False):
            seen += count
            if count and seen >= least:
                return min(bound, self.waited_longest)
        return self.waited_longest
