"""Counters of the middleware ``http_metrics``. They outlive the chain, which a reload rebuilds. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyroadrunner.contracts import MetricFamily, Sample

# RoadRunner's bounds, in seconds.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)


@dataclass(slots=True)
class Durations:
    """Durations of the requests with one status: a count per bucket, the last one for those above all bounds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0


class RequestCounters:
    """Requests by the status of their response.

    Attributes:
        no_free_workers: requests for which no worker was free.
    """

    def __init__(self) -> None:
        self._by_status: dict[int, Durations] = {}
        self.no_free_workers = 0

    def __repr__(self) -> str:
        return f"RequestCounters({ {status: sum(one.counts) for status, one in self._by_status.items()} })"

    def add(self, status: int, seconds: float) -> None:
        """Count one request. On the hot path."""
        durations = self._by_status.get(status)
        if durations is None:
            durations = self._by_status[status] = Durations()
        durations.counts[bisect_left(BOUNDS, seconds)] += 1
        durations.total += seconds

    def families(self) -> Iterator[MetricFamily]:
        """The current values. Metrics without values have no samples, as in RoadRunner."""
        found = sorted(self._by_status.items())
        counts = [Sample({"status": str(status)}, sum(one.counts)) for status, one in found]
        yield MetricFamily("rr_http_request_total", "counter", "Requests by status.", counts)
        durations = [sample for status, one in found for sample in _lines(status, one)]
        text = "How long requests took, by status."
        yield MetricFamily("rr_http_request_duration_seconds", "histogram", text, durations)
        refused = [Sample({}, self.no_free_workers)] if self.no_free_workers else []
        text = "Requests for which no worker was free."
        yield MetricFamily("rr_http_no_free_workers_total", "counter", text, refused)


def _lines(status: int, durations: Durations) -> Iterator[Sample]:
    labels = {"status": str(status)}
    so_far = 0
    for bound, count in zip((*BOUNDS, "+Inf"), durations.counts, strict=True):
        so_far += count
        le = bound if isinstance(bound, str) else f"{bound:g}"
        yield Sample({**labels, "le": le}, so_far, "_bucket")
    yield Sample(labels, durations.total, "_sum")
    yield Sample(labels, so_far, "_count")
