"""Data about a worker for ``informer`` and ``rr workers``."""

from __future__ import annotations

import msgspec


class PublicWorkerInfo(msgspec.Struct, kw_only=True, rename="camel"):
    """One worker, with exactly RoadRunner's keys (``numExecs``, ``CPUPercent``, ...): the ones that published clients
    read (roadrunner-php/worker, ``src/Informer/Worker.php``).

    Attributes:
        pid: process id.
        status: number of its state (``workers.state.State``).
        num_execs: calls it was given so far.
        created: start time, unix nanoseconds.
        memory_usage: resident memory, bytes.
        cpu_percent: average since its start, percent of one CPU.
        command: empty for pool workers.
        status_str: name of its state.
    """

    pid: int
    status: int
    num_execs: int
    created: int
    memory_usage: int
    cpu_percent: float = msgspec.field(name="CPUPercent")
    command: str = ""
    status_str: str


class WorkerInfo(PublicWorkerInfo, kw_only=True, rename="camel"):
    """The same with keys that are not in RoadRunner.

    Attributes:
        pool: name of its pool.
        activity: its current call, e.g. ``GET /slow``; empty when idle.
        activity_since: when the call began, unix nanoseconds; 0 when idle.
        cpu_seconds: CPU time since its start.
    """

    pool: str = ""
    activity: str = ""
    activity_since: int = 0
    cpu_seconds: float = 0.0

    def public(self) -> PublicWorkerInfo:
        """Return a copy without these keys."""
        return PublicWorkerInfo(**{name: getattr(self, name) for name in PublicWorkerInfo.__struct_fields__})
