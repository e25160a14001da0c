"""Worker states and the legal transitions between them, in one table. Pure.

RPC clients and metrics see the numbers and names (spec: worker states).

    INACTIVE -> READY <-> WORKING          it has said hello; it runs a call
    READY, WORKING -> *_REACHED, INVALID   it has reached a limit: no more calls, it stops after the running one
    any of these -> STOPPING -> STOPPED    it has got the order to stop; it has exited
    any of these -> ERRORED                it was killed, or it exited or broke the protocol by itself
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
    """A transition that is not in the table: a bug in the server, not in a worker."""

    def __init__(self, old: State, new: State) -> None:
        super().__init__(f"a worker cannot go from {old.name} to {new.name}")
        self.old = old
        self.new = new


def transition(old: State, new: State) -> State:
    """Return ``new``.

    Raises:
        IllegalTransition: it is not in the table.
    """
    if new not in TRANSITIONS[old]:
        raise IllegalTransition(old, new)
    return new


def active(state: State) -> bool:
    """Whether a worker in this state takes calls, now or after the running one."""
    return state is State.READY or state is State.WORKING
