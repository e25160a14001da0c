"""The metrics of the ``http`` pools."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from pyroadrunner.plugins.http.metrics import refusal_metrics, request_metrics
from pyroadrunner.workers.metrics import queue_metrics
from pyroadrunner.workers.stats import BOUNDS, PoolStats
from support.rpc import FakePool, worker


class BusyPool(FakePool):
    async def stats(self) -> PoolStats:
        waits = [0] * (len(BOUNDS) + 1)
        waits[0], waits[-1] = 3, 1
        changes = {"waited_total": 61.5, "added": 4, "scale_ups": 6, "scale_downs": 2}
        return replace(await super().stats(), queued=2, waits=waits, **changes)


def test_queue_and_allocator_metrics_of_each_pool() -> None:
    families = asyncio.run(queue_metrics("http", {"http": FakePool("http"), "http.slow": BusyPool("http.slow")}))
    told = {
        family.name + sample.suffix: sample.value
        for family in families
        for sample in family.samples
        if sample.labels["pool"] == "http.slow" and sample.labels.get("le", "+Inf") == "+Inf"
    }
    assert told == {
        "rr_http_pool_queue": 2,
        "rr_http_pool_queue_wait_seconds_bucket": 4,
        "rr_http_pool_queue_wait_seconds_sum": 61.5,
        "rr_http_pool_queue_wait_seconds_count": 4,
        "rr_http_pool_scaled_workers": 4,
        "rr_http_pool_scalings_total": 2,
    }
    buckets = [
        (sample.labels["le"], sample.value)
        for sample in families[1].samples
        if sample.suffix == "_bucket" and sample.labels["pool"] == "http.slow"
    ]
    assert buckets[0] == ("0.001", 3)
    assert buckets[-2:] == [("60", 3), ("+Inf", 4)]
    assert len(buckets) == len(BOUNDS) + 1
    assert {family.kind for family in families} == {"gauge", "counter", "histogram"}


def test_requests_in_flight_are_the_running_and_the_waiting_ones() -> None:
    pools = {
        "http": FakePool("http", [worker(7, status=2), worker(8)]),
        "http.slow": BusyPool("http.slow", [worker(9, status=2)]),
    }
    in_flight, uptime = asyncio.run(request_metrics(pools, 12.9))
    assert (in_flight.name, in_flight.kind, in_flight.samples[0].value) == ("rr_http_requests_queue", "gauge", 4)
    assert (uptime.name, uptime.kind, uptime.samples[0].value) == ("rr_http_uptime_seconds", "counter", 12)


def test_refusals_by_kind() -> None:
    family = refusal_metrics({"line": 3, "idle": 1})
    assert [(sample.labels, sample.value) for sample in family.samples] == [
        ({"kind": "idle"}, 1),
        ({"kind": "line"}, 3),
    ]
