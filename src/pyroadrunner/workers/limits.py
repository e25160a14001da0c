"""Age, idle time and memory of a worker -> the limit that it has reached. Pure: time and randomness are arguments."""

from __future__ import annotations

from dataclasses import dataclass

from pyroadrunner.workers.config import SupervisorConfig
from pyroadrunner.workers.state import State

MEGABYTE = 1 << 20
JITTER_PERCENT = 15  # exclusive: RoadRunner draws 0..14


@dataclass(frozen=True, slots=True)
class WorkerUsage:
    """Age, idle time and memory of a worker at one moment.

    Attributes:
        age: seconds since it was started.
        idle: seconds since its last call ended; ``None`` while one runs, and before its first.
        memory: resident bytes.
    """

    age: float
    idle: float | None
    memory: int


def limit_reached(usage: WorkerUsage, limits: SupervisorConfig) -> State | None:
    """The state of the limit that the worker has reached, checked in RoadRunner's order (ttl, memory, idle); ``None`` =
    keep it."""
    if limits.ttl and usage.age >= limits.ttl:
        return State.TTL_REACHED
    if limits.max_worker_memory and usage.memory >= limits.max_worker_memory * MEGABYTE:
        return State.MAX_MEMORY_REACHED
    if limits.idle_ttl and usage.idle is not None and usage.idle >= limits.idle_ttl:
        return State.IDLE_TTL_REACHED
    return None


def jittered_max_jobs(max_jobs: int, roll: int) -> int:
    """The ``max_jobs`` of one worker: up to 14 % more, so that workers started together do not all stop together.

    Args:
        max_jobs: the configured limit; 0 = none.
        roll: a random integer; its remainder by 15 is the percentage added.

    Returns:
        the limit, 0 = none.
    """
    return max_jobs + max_jobs * (roll % JITTER_PERCENT) // 100
