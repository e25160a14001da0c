"""Counters of calls, with RoadRunner's names. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from pyroadrunner.contracts import MetricFamily, Sample
from pyroadrunner.grpcd import code_name

# Prometheus' default bounds, in seconds.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Durations:
    """Durations of the calls of one method: a count per bucket, the last one for those above all bounds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0


class CallCounters:
    """Calls by method and status.

    Attributes:
        in_flight: calls that wait or run.
    """

    def __init__(self) -> None:
        self._totals: dict[tuple[str, int], int] = {}
        self._durations: dict[str, _Durations] = {}
        self.in_flight = 0

    def __repr__(self) -> str:
        return f"CallCounters(in_flight={self.in_flight}, {self._totals})"

    def add(self, path: str, code: int, seconds: float) -> None:
        """Count one call. On the hot path."""
        key = path, code
        self._totals[key] = self._totals.get(key, 0) + 1
        durations = self._durations.get(path)
        if durations is None:
            durations = self._durations[path] = _Durations()
        durations.counts[bisect_left(BOUNDS, seconds)] += 1
        durations.total += seconds

    def families(self) -> Iterator[MetricFamily]:
        """The current values."""
        yield MetricFamily("rr_grpc_requests_queue", "gauge", "Calls that wait or run.", [Sample({}, self.in_flight)])
        yield MetricFamily(
            "rr_grpc_request_total",
            "counter",
            "Calls since the start of the server, by method and status.",
            [
                Sample({"grpc_method": path, "status_code": code_name(code)}, count)
                for (path, code), count in sorted(self._totals.items())
            ],
        )
        yield MetricFamily(
            "rr_grpc_request_duration_seconds",
            "histogram",
            "How long calls took.",
            [sample for path, one in sorted(self._durations.items()) for sample in _lines(path, one)],
        )


def _lines(path: str, durations: _Durations) -> Iterator[Sample]:
    so_far = 0
    for bound, count in zip((*map("{:g}".format, BOUNDS), "+Inf"), durations.counts, strict=True):
        so_far += count
        yield Sample({"grpc_method": path, "le": bound}, so_far, "_bucket")
    yield Sample({"grpc_method": path}, durations.total, "_sum")
    yield Sample({"grpc_method": path}, so_far, "_count")
