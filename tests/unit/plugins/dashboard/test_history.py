"""Rings of points, quantiles, and what the sampler puts into them."""

from __future__ import annotations

import random

import pytest

from pyroadrunner.plugins.dashboard.history import Ring
from pyroadrunner.plugins.dashboard.latencies import Latencies, quantile
from pyroadrunner.plugins.dashboard.sampler import Sampler
from pyroadrunner.workers.state import State
from pyroadrunner.workers.stats import PoolStats
from support.rpc import FakePlugin, FakePool, worker
from support.virtual_time import run_virtual


def test_a_ring_keeps_the_newest_points_in_order() -> None:
    ring = Ring(3, 1.0)
    assert ring.columns()["time"] == []
    assert ring.last() == {}
    for time in range(5):
        ring.add(time, {"requests": time * 10.0})
        assert ring.last()["requests"] == time * 10.0
    columns = ring.columns()
    assert columns["time"] == [2, 3, 4]
    assert columns["requests"] == [20, 30, 40]
    assert columns["p99"] == [None, None, None]  # gaps
    assert repr(ring) == "Ring(3/3, every 1 s)"


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_quantile_is_at_most_five_percent_off(share: float) -> None:
    chance = random.Random(7)
    latencies = Latencies()
    seen = sorted(chance.lognormvariate(-6, 1) for _ in range(10_000))
    for seconds in seen:
        latencies.add(200, seconds)
    latencies.count(latencies.take())
    assert latencies.take() == []
    exact = seen[int(share * len(seen)) - 1]
    assert quantile(latencies.counts, share) == pytest.approx(exact, rel=0.06)


def test_extreme_durations_are_counted() -> None:
    latencies = Latencies()
    for seconds in (0.0, -1.0, 1e-9, 1e6, float(10**9)):
        latencies.add(200, seconds)
    latencies.count(latencies.take())
    assert sum(latencies.counts) == 5
    assert quantile([0, 0], 0.5) == 0.0


class Busy(FakePool):
    """A pool with figures that a test sets."""

    found = PoolStats()

    async def stats(self) -> PoolStats:
        return self.found


class Wall:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_look_adds_rates_and_the_tenth_one_adds_to_the_hour() -> None:
    async def main() -> None:
        pool = Busy("http", [worker(1, memory_usage=500), worker(2, memory_usage=700)])
        clock = Wall()
        sampler = Sampler([FakePlugin("http", pool)], clock, clock, lambda pid: 1000)
        for second in range(1, 11):
            clock.now = float(second)
            for _ in range(50):
                sampler.add(200, 0.001)
            sampler.add(503, 0.1)
            busy = 2 if second == 5 else 1
            pool.found = PoolStats(states={State.WORKING: busy, State.READY: 1}, queued=second, calls=second * 20)
            await sampler.look()
        point = sampler.fine.last()
        assert (point["requests"], point["errors"], point["calls"]) == (51, 1, 20)
        assert (point["queued"], point["busy"], point["workers"]) == (10, 1, 2)
        assert point["p50"] == pytest.approx(0.001, rel=0.06)
        assert point["memory"] is None
        [time] = sampler.coarse.columns()["time"]
        hour = sampler.coarse.last()
        assert (time, hour["requests"], hour["busy"], hour["queued"], hour["memory"]) == (10, 51, 2, 10, 2200)
        assert hour["p99"] == pytest.approx(0.1, rel=0.06)
        clock.now = 11.0
        await sampler.look()
        assert sampler.fine.last()["requests"] == 0
        assert sampler.fine.last()["p50"] is None

    run_virtual(main())
