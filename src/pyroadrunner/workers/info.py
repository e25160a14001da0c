"""A worker as others see it: what ``informer.Workers`` answers and ``rr workers`` draws."""

from __future__ import annotations

import msgspec


class WorkerInfo(msgspec.Struct, kw_only=True, rename="camel"):
    """Figures of one worker. Field names on the wire are RoadRunner's (``numExecs``, ``CPUPercent``, ...).

    Attributes:
        pid: process id.
        status: number of its state (``workers.state.State``).
        num_execs: requests it was given so far.
        created: start time, unix nanoseconds.
        memory_usage: resident memory, bytes.
        cpu_percent: average since its start, percent of one CPU.
        command: empty for pool workers.
        status_str: name of its state.
        pool: name of its pool (ours).
        activity: what it does now, e.g. ``GET /slow``; empty when idle (ours).
        activity_since: when that began, unix nanoseconds; 0 when idle (ours).
    """

    pid: int
    status: int
    num_execs: int
    created: int
    memory_usage: int
    cpu_percent: float = msgspec.field(name="CPUPercent")
    command: str = ""
    status_str: str
    pool: str = ""
    activity: str = ""
    activity_since: int = 0
