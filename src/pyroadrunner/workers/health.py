"""What a plugin says of its pools when it is asked for its status, from the states of the workers alone.

Probes come every second, so nothing here reads memory or CPU figures of the workers' processes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pyroadrunner.workers.state import State
from pyroadrunner.workers.stats import PoolStats


class HasFigures(Protocol):
    """A pool (``contracts.WorkerPool``), as far as it is needed here."""

    async def stats(self) -> PoolStats: ...


async def all_serve(pools: Iterable[HasFigures]) -> bool:
    """Whether each pool has a worker that is ready or working; false without any pool."""
    states = [(await pool.stats()).states for pool in pools]
    return bool(states) and all(counts.get(State.READY) or counts.get(State.WORKING) for counts in states)


async def has_free_worker(pool: HasFigures | None) -> bool:
    """Whether a worker could take a request right now; false for a pool that has not started."""
    return pool is not None and (await pool.stats()).free > 0
