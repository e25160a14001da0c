"""Health of a plugin's pools, for its status checks; from the states of the workers alone.

Probes come every second, so these functions do not read memory or CPU usage of processes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pyroadrunner.workers.state import State
from pyroadrunner.workers.stats import PoolStats


class HasFigures(Protocol):
    """The part of ``contracts.WorkerPool`` that is used here."""

    async def stats(self) -> PoolStats: ...


async def all_serve(pools: Iterable[HasFigures]) -> bool:
    """Whether every pool has a worker that is ready or working; false if there are no pools."""
    states = [(await pool.stats()).states for pool in pools]
    return bool(states) and all(counts.get(State.READY) or counts.get(State.WORKING) for counts in states)


async def has_free_worker(pool: HasFigures | None) -> bool:
    """Whether a worker can take a call now; false for a pool that has not started."""
    return pool is not None and (await pool.stats()).free > 0
