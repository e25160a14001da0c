"""Statistics of a pool that need no look at its processes: for health, metrics, the dashboard. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyroadrunner.workers.state import State

# Upper bounds in seconds, from an imperceptible wait to the allocate_timeout.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class WaitTimes:
    """The waits for a worker of the calls that had to wait.

    Attributes:
        counts: number of waits by :data:`BOUNDS`: up to each bound and above the one before; the last count is of those
            above all bounds.
        total: seconds, of all waits together.
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
        """Count a wait. On the hot path of a busy pool."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds
        if seconds > self.longest:
            self.longest = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """A pool's workers, queue and dynamic allocator at one moment.

    Attributes:
        states: workers by state; states without a worker are omitted.
        free: workers that can take a call now: ready, and not leased.
        queued: calls that wait for a worker.
        waiting: seconds the oldest of them has been waiting; 0 = none waits.
        waits: calls that had to wait since the start, by :data:`BOUNDS`, as in :class:`WaitTimes`.
        waited_total, waited_longest: seconds, of all waits and of the longest.
        added: workers that the dynamic allocator has added and not stopped.
        scale_ups, scale_downs: workers that it has added and stopped since the start.
        calls: calls that workers were given since the start.
        failed: calls without a proper reply since the start: refused, expired in the queue, or failed by their worker.
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
    calls: int = 0
    failed: int = 0

    @property
    def waited(self) -> int:
        """Calls that had to wait since the start."""
        return sum(self.waits)

    def wait_of(self, share: float) -> float:
        """A quantile of the waits, rounded up to a bound; seconds, 0 = no call had to wait.

        Args:
            share: 0.5 for the median.
        """
        least, seen = share * self.waited, 0
        for bound, count in zip(BOUNDS, self.waits, strict=False):
            seen += count
            if count and seen >= least:
                return min(bound, self.waited_longest)
        return self.waited_longest
