"""Metrics of a plugin's pools: the queue, the wait for a worker, the dynamic allocator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pyroadrunner.metric import MetricFamily, Sample
from pyroadrunner.workers.contract import WorkerPool
from pyroadrunner.workers.stats import BOUNDS, PoolStats


async def queue_metrics(plugin: str, pools: Mapping[str, WorkerPool]) -> list[MetricFamily]:
    """Metrics that are not in RoadRunner: queue and dynamic allocator of each pool, with the pool's name as label.

    Args:
        plugin: part of the metrics' names: ``rr_http_pool_queue``.
    """
    stats = {name: await pool.stats() for name, pool in pools.items()}
    return [
        MetricFamily(
            f"rr_{plugin}_pool_queue",
            "gauge",
            "Requests that wait for a worker.",
            [Sample({"pool": name}, one.queued) for name, one in stats.items()],
        ),
        MetricFamily(
            f"rr_{plugin}_pool_queue_wait_seconds",
            "histogram",
            "Time that requests waited for a worker, of those that had to wait.",
            [sample for name, one in stats.items() for sample in _waits(name, one)],
        ),
        MetricFamily(
            f"rr_{plugin}_pool_scaled_workers",
            "gauge",
            "Workers that the dynamic allocator has added and not stopped.",
            [Sample({"pool": name}, one.added) for name, one in stats.items()],
        ),
        MetricFamily(
            f"rr_{plugin}_pool_scalings_total",
            "counter",
            "Workers that the dynamic allocator has added (up) and stopped (down).",
            [sample for name, one in stats.items() for sample in _scalings(name, one)],
        ),
    ]


def _waits(pool: str, stats: PoolStats) -> Iterator[Sample]:
    so_far = 0
    for bound, count in zip((*map("{:g}".format, BOUNDS), "+Inf"), stats.waits, strict=True):
        so_far += count
        yield Sample({"pool": pool, "le": bound}, so_far, "_bucket")
    yield Sample({"pool": pool}, stats.waited_total, "_sum")
    yield Sample({"pool": pool}, stats.waited, "_count")


def _scalings(pool: str, stats: PoolStats) -> Iterator[Sample]:
    yield Sample({"pool": pool, "direction": "up"}, stats.scale_ups)
    yield Sample({"pool": pool, "direction": "down"}, stats.scale_downs)
