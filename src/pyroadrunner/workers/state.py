"""Worker states and the legal moves between them, in one table. Pure.

Numbers and names are what RPC clients and metrics see (spec: worker states). The doors out of READY and WORKING:

    INACTIVE -> READY <-> WORKING          hello said; a request is running
    READY, WORKING -> *_REACHED, INVALID   a limit was hit: no more requests, stop when the running one is answered
    anything alive -> STOPPING -> STOPPED  told to stop; gone as told
    anything alive -> ERRORED              cut, killed, or gone on its own
"""

from __future__ import annotations

from enum import IntEnum

from pyroadrunner.errors import RoadRunnerError


class State(IntEnum):
    """What a worker is doing, with RoadRunner's numbers."""

    INACTIVE = 0
    READY = 1
    WORKING = 2
    INVALID = 3
    STOPPING = 4
    STOPPED = 5
    DESTROYED = 6
    MAX_JOBS_REACHED = 7
    ERRORED = 8
    IDLE_TTL_REACHED = 9
    TTL_REACHED = 10
    MAX_MEMORY_REACHED = 11
    EXEC_TTL_REACHED = 12

    @property
    def label(self) -> str:
        """RoadRunner's name of the state, as RPC ``statusStr`` and ``rr workers`` show it."""
        return _LABELS[self]


_LABELS = {
    State.INACTIVE: "inactive",
    State.READY: "ready",
    State.WORKING: "working",
    State.INVALID: "invalid",
    State.STOPPING: "stopping",
    State.STOPPED: "stopped",
    State.DESTROYED: "destroyed",
    State.MAX_JOBS_REACHED: "maxJobsReached",
    State.ERRORED: "errored",
    State.IDLE_TTL_REACHED: "idleTTLReached",
    State.TTL_REACHED: "ttlReached",
    State.MAX_MEMORY_REACHED: "maxMemoryReached",
    State.EXEC_TTL_REACHED: "execTTLReached",  # RoadRunner prints "undefined"
}

_ENDING = frozenset({State.STOPPING, State.STOPPED, State.ERRORED, State.DESTROYED})
_RETIRED = frozenset(
    {State.INVALID, State.MAX_JOBS_REACHED, State.TTL_REACHED, State.MAX_MEMORY_REACHED, State.EXEC_TTL_REACHED}
)

TRANSITIONS: dict[State, frozenset[State]] = {
    State.INACTIVE: frozenset({State.READY, *_ENDING}),
    State.READY: frozenset({State.WORKING, State.IDLE_TTL_REACHED, *_RETIRED, *_ENDING}),
    State.WORKING: frozenset({State.READY, *_RETIRED, *_ENDING}),
    State.INVALID: frozenset({State.EXEC_TTL_REACHED, *_ENDING}),
    State.MAX_JOBS_REACHED: _ENDING,
    State.IDLE_TTL_REACHED: _ENDING,
    State.TTL_REACHED: frozenset({State.EXEC_TTL_REACHED, *_ENDING}),
    State.MAX_MEMORY_REACHED: frozenset({State.EXEC_TTL_REACHED, *_ENDING}),
    State.EXEC_TTL_REACHED: _ENDING,
    State.STOPPING: frozenset({State.STOPPED, State.ERRORED, State.DESTROYED}),
    State.STOPPED: frozenset({State.DESTROYED}),
    State.ERRORED: frozenset({State.DESTROYED}),
    State.DESTROYED: frozenset(),
}


class IllegalTransition(RoadRunnerError):
    """A state change the table does not have: a bug of ours, never a peer's."""

    def __init__(self, old: State, new: State) -> None:
        super().__init__(f"a worker cannot go from {old.name} to {new.name}")
        self.old = old
        self.new = new


def transition(old: State, new: State) -> State:
    """Return ``new``.

    Raises:
        IllegalTransition: the table has no such move.
    """
    if new not in TRANSITIONS[old]:
        raise IllegalTransition(old, new)
    return new


def active(state: State) -> bool:
    """Whether a worker in this state counts as healthy: it serves, now or at the next request."""
    return state is State.READY or state is State.WORKING
