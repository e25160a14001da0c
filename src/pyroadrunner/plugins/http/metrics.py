"""Metrics of the ``http`` pools, for the ``metrics`` plugin."""

from __future__ import annotations

from collections.abc import Mapping

from pyroadrunner.contracts import MetricFamily, Sample, WorkerPool
from pyroadrunner.workers.state import State


async def request_metrics(pools: Mapping[str, WorkerPool], uptime: float) -> list[MetricFamily]:
    """Requests in flight, and the uptime of the plugin.

    Args:
        uptime: in seconds.
    """
    stats = [await pool.stats() for pool in pools.values()]
    busy = sum(one.queued + one.states.get(State.WORKING, 0) for one in stats)
    return [
        MetricFamily(
            "rr_http_requests_queue", "gauge", "Requests a worker has or that wait for one.", [Sample({}, busy)]
        ),
        MetricFamily("rr_http_uptime_seconds", "counter", "Seconds since the start.", [Sample({}, int(uptime))]),
    ]


def refusal_metrics(counts: Mapping[str, int]) -> MetricFamily:
    """Requests and connections that the HTTP/1 server refused, by kind."""
    samples = [Sample({"kind": kind}, count) for kind, count in sorted(counts.items())]
    return MetricFamily("rr_http_refused_total", "counter", "Refused requests and connections, by kind.", samples)
