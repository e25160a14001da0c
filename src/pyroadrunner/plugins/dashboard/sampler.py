"""Fills the history: a look per second at counters that exist anyway, and two counters of its own per request."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyroadrunner.contracts import HasPools, Log, State
from pyroadrunner.plugins.dashboard.history import COARSE, COARSE_STEP, FINE, Ring
from pyroadrunner.plugins.dashboard.latencies import Latencies, quantile
from pyroadrunner.workers.usage import memory_of

_AT_ONCE = 500  # durations: about a tenth of a millisecond

log = Log("dashboard")


@dataclass(slots=True)
class _Mark:
    """Counters at the begin of an interval."""

    time: float
    counts: list[int]
    errors: int
    calls: int


class Sampler:
    """Counts requests and looks at the pools.

    Attributes:
        latencies: of all requests since the start.
        add: counts a request: status, seconds.
        now: the newest point.
        fine, coarse: the points of the last minute and of the last hour.

    Args:
        plugins: a live view of those with pools.
        clock: the monotonic clock; ``wall``: Unix time. Both in seconds.
        memory: resident bytes of a process.
    """

    def __init__(
        self,
        plugins: Sequence[HasPools],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        memory: Callable[[int], int] = memory_of,
    ) -> None:
        self.latencies = Latencies()
        self.add = self.latencies.add
        self.fine = Ring(FINE, 1.0)
        self.coarse = Ring(COARSE, COARSE_STEP)
        self.now: dict[str, float] = {}
        self._plugins = plugins
        self._clock = clock
        self._wall = wall
        self._memory = memory
        self._second = self._ten = _Mark(clock(), list(self.latencies.counts), 0, 0)
        self._busiest = self._longest_queue = 0

    def __repr__(self) -> str:
        return f"Sampler({self.latencies!r}, {self.fine!r}, {self.coarse!r})"

    async def run(self) -> None:
        """Look once a second, until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            try:
                await self.look()
            except Exception as bug:  # of a pool; the next look may work
                log.error("the pools can't be looked at", error=repr(bug))

    async def look(self) -> None:
        """Add a point to the last minute; every tenth time one to the last hour."""
        new = self.latencies.take()
        for begin in range(0, len(new), _AT_ONCE):
            self.latencies.count(new[begin : begin + _AT_ONCE])
            await asyncio.sleep(0)  # let requests run in between
        calls = queued = busy = workers = 0
        for plugin in self._plugins:
            for pool in plugin.pools().values():
                stats = await pool.stats()
                calls += stats.calls
                queued += stats.queued
                busy += stats.states.get(State.WORKING, 0)
                workers += sum(stats.states.values())
        mark = _Mark(self._clock(), list(self.latencies.counts), self.latencies.failed, calls)
        point = _between(self._second, mark)
        self.now = {**point, "queued": queued, "busy": busy, "workers": workers}
        self._second = mark
        self.fine.add(self._wall(), self.now)
        self._busiest, self._longest_queue = max(self._busiest, busy), max(self._longest_queue, queued)
        if mark.time - self._ten.time >= COARSE_STEP - 0.5:
            await self._add_coarse(mark, workers)

    async def _add_coarse(self, mark: _Mark, workers: int) -> None:
        """Rates and quantiles over ten seconds, the maximum of queue and busy workers, memory."""
        memory = self._memory(os.getpid())
        for plugin in self._plugins:
            for pool in plugin.pools().values():
                memory += sum(worker.memory_usage for worker in await pool.workers())
        rest = {"queued": self._longest_queue, "busy": self._busiest, "workers": workers, "memory": memory}
        self.coarse.add(self._wall(), {**_between(self._ten, mark), **rest})
        self._ten = mark
        self._busiest = self._longest_queue = 0


def _between(old: _Mark, new: _Mark) -> dict[str, float]:
    seconds = new.time - old.time
    if seconds <= 0:
        return {}
    counts = [after - before for before, after in zip(old.counts, new.counts, strict=True)]
    requests = sum(counts)
    found = {
        "requests": requests / seconds,
        "errors": (new.errors - old.errors) / seconds,
        "calls": max(0, new.calls - old.calls) / seconds,
    }
    if requests:  # without one there is no latency: a gap
        found |= {"p50": quantile(counts, 0.5), "p99": quantile(counts, 0.99)}
    return found
