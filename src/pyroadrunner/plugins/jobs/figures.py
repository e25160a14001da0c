"""Counters of a pipeline, as ``metrics`` exposes them. Pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)  # seconds
PUSH_BOUNDS = BOUNDS[:11]  # Prometheus' default, as in RoadRunner


class Histogram:
    """Counts durations.

    Attributes:
        counts: per bucket; the last is for all above the last bound.
        total: sum of all durations.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = BOUNDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Pushes:
    """Pushes of one kind: single, or in batches."""

    count: int = 0
    latency: Histogram = field(default_factory=lambda: Histogram(PUSH_BOUNDS))


@dataclass(slots=True)
class PipelineFigures:
    """All figures of a pipeline.

    Attributes:
        done: jobs whose worker has answered.
        failed: jobs whose worker has not answered properly.
        requeued: jobs that their worker has put back.
        retried: failed jobs that run again.
        buried: jobs moved to the dead letter pipeline.
        dropped: failed jobs that were deleted.
        waits: from the delivery to the start of the run.
        runs: of the worker.
    """

    pushed: int = 0
    push_errors: int = 0
    done: int = 0
    failed: int = 0
    requeued: int = 0
    retried: int = 0
    buried: int = 0
    dropped: int = 0
    single: Pushes = field(default_factory=Pushes)
    batch: Pushes = field(default_factory=Pushes)
    waits: Histogram = field(default_factory=Histogram)
    runs: Histogram = field(default_factory=Histogram)

    def add(self, other: PipelineFigures) -> None:
        """Add the counts of another pipeline."""
        for name in ("pushed", "push_errors", "done", "failed", "requeued", "retried", "buried", "dropped"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
