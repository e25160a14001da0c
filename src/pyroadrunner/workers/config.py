"""The ``pool`` section, the same under every plugin. Zero means RoadRunner's default or "off", as noted. Once read, a
key whose zero means the default holds that default."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
from msgspec.structs import force_setattr

from pyroadrunner.config.values import Command, Duration

MAX_WORKERS = 500  # RoadRunner refuses more: pool, static_pool options
_MAX_ADDED = 100  # RoadRunner caps it at this: pool, dynamic allocator options

Count = Annotated[int, msgspec.Meta(ge=0)]


def _resolve_zeros(section: msgspec.Struct, defaults: Mapping[str, float]) -> None:
    """Replace the zeros of a new section by the defaults that they mean."""
    for field, default in defaults.items():
        if not getattr(section, field):
            force_setattr(section, field, default)


class SupervisorConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``pool.supervisor``: the limits of a worker."""

    watch_tick: Duration = 5.0
    """How often the workers are checked; seconds."""
    ttl: Duration = 0.0
    """Longest life of a worker; seconds, 0 = off. Soft: the running request is finished."""
    idle_ttl: Duration = 0.0
    """Longest time without a request, counted from the end of the last one; seconds, 0 = off."""
    exec_ttl: Duration = 0.0
    """Longest time for a request (for a stream: for each frame); seconds, 0 = off. Hard: the worker is killed."""
    max_worker_memory: Count = 0
    """Resident memory in MB (2**20 bytes) at which a worker is retired; 0 = off. Soft."""

    def __post_init__(self) -> None:
        _resolve_zeros(self, {"watch_tick": 5.0})


class DynamicAllocatorConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``pool.dynamic_allocator``: workers added while requests queue."""

    max_workers: Count = 10
    """How many workers may be added on top of ``num_workers``; 100 at most."""
    scale_up_wait: Duration = 0.1
    """How long the oldest request may wait for a worker before workers are added; seconds. Not in RoadRunner."""
    spawn_rate: Count = 5
    """How many workers are added, or stopped, at a time; 100 at most."""
    idle_timeout: Duration = 60.0
    """How long an added worker stays idle before it is stopped; seconds, below one the default."""

    def __post_init__(self) -> None:
        _resolve_zeros(self, {"max_workers": 10, "spawn_rate": 5, "scale_up_wait": 0.1})
        force_setattr(self, "max_workers", min(self.max_workers, _MAX_ADDED))
        force_setattr(self, "spawn_rate", min(self.spawn_rate, _MAX_ADDED))
        if self.idle_timeout < 1.0:
            force_setattr(self, "idle_timeout", 60.0)


class PoolConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``<plugin>.pool``."""

    num_workers: Count = 0
    """Workers kept alive; 0 = one per CPU this process may use; at most 500."""
    max_jobs: Count = 0
    """Requests after which a worker is replaced (plus up to 14 %, so that not all stop at once); 0 = never."""
    max_queue_size: Count = 1024
    """Requests that may wait or run at the same time; one more is refused immediately. 0 = unbounded (RoadRunner's
    default)."""
    max_lifo_wait: Duration = 2.0
    """In an overload (the oldest request has waited a second) the newest request goes first; one that has waited this
    long goes before it. Seconds; 0 = the oldest is always first. Not in RoadRunner."""
    allocate_timeout: Duration = 60.0
    """Longest time for a worker to start and say hello, and for a request to wait for a free one; seconds."""
    reset_timeout: Duration = 60.0
    """How long a reset waits for old workers to finish their requests before it kills them; seconds."""
    stream_timeout: Duration = 60.0
    """How long a worker may take to end a stream after STOP; seconds."""
    destroy_timeout: Duration = 60.0
    """How long the removal of a worker waits for its exit; seconds."""
    debug: bool = False
    """A new process for every request: code changes show at once. Nothing is kept alive."""
    command: Command = msgspec.field(default_factory=list)
    """Command of this pool's workers; empty = ``server.command``."""
    supervisor: SupervisorConfig | None = None
    dynamic_allocator: DynamicAllocatorConfig | None = None

    def __post_init__(self) -> None:
        timeouts = ("allocate_timeout", "reset_timeout", "stream_timeout", "destroy_timeout")
        _resolve_zeros(self, dict.fromkeys(timeouts, 60.0))

    def faults(self) -> Iterable[tuple[str, str]]:
        """Values that RoadRunner refuses, with its messages."""
        if self.num_workers > MAX_WORKERS:
            yield "num_workers", f"number of workers can't be more than {MAX_WORKERS}"

    def exec_ttl(self) -> float:
        """``supervisor.exec_ttl``; 0 = off."""
        return self.supervisor.exec_ttl if self.supervisor else 0.0

    def workers_wanted(self) -> int:
        """``num_workers``, with 0 resolved to the CPUs this process may use."""
        if self.num_workers:
            return self.num_workers
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0)) or 1
        return os.cpu_count() or 1
