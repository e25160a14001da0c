"""What a plugin says of its pools when it is asked for its status, from the states of the workers alone.

Probes come every second, so nothing here reads memory or CPU figures of the workers' processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from pyroadrunner.workers.state import State


class CountsStates(Protocol):
    """A pool (``contracts.WorkerPool``), as far as it is needed here."""

    def states(self) -> Mapping[State, int]: ...


def all_serve(pools: Iterable[CountsStates]) -> bool:
    """Whether each pool has a worker that is ready or working; false without any pool."""
    serving = [_any_in(pool, State.READY, State.WORKING) for pool in pools]
    return bool(serving) and all(serving)


def has_free_worker(pool: CountsStates | None) -> bool:
    """Whether a worker could take a request right now; false for a pool that has not started."""
    return pool is not None and _any_in(pool, State.READY)


def _any_in(pool: CountsStates, *states: State) -> bool:
    counts = pool.states()
    return any(counts.get(state) for state in states)
