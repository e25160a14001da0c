"""The ``pool`` section, the same under every plugin. Zero means RoadRunner's default or "off", as noted."""

from __future__ import annotations

import os

import msgspec

from pyroadrunner.config.values import Command, Duration

MAX_WORKERS = 500  # RoadRunner refuses more: pool/static_pool options


class SupervisorConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``pool.supervisor``: what makes a worker be retired."""

    watch_tick: Duration = 5.0
    """How often the workers are looked at; seconds."""
    ttl: Duration = 0.0
    """Longest life of a worker; seconds, 0 = off. Soft: the running request is finished."""
    idle_ttl: Duration = 0.0
    """Longest time without a request, counted from the end of the last one; seconds, 0 = off."""
    exec_ttl: Duration = 0.0
    """Longest time for a request (for a stream: for each frame); seconds, 0 = off. Hard: the worker is killed."""
    max_worker_memory: int = 0
    """Resident memory in MB (2**20 bytes) at which a worker is retired; 0 = off. Soft."""


class DynamicAllocatorConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``pool.dynamic_allocator``: workers added while requests queue."""

    max_workers: int = 10
    """How many workers may be added on top of ``num_workers`` (at most 100)."""
    spawn_rate: int = 5
    """How many are added at once (at most 100)."""
    idle_timeout: Duration = 60.0
    """How long after the last addition the extra workers leave again; seconds."""


class PoolConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``<plugin>.pool``."""

    num_workers: int = 0
    """Workers kept alive; 0 = one per CPU this process may use; at most 500."""
    max_jobs: int = 0
    """Requests after which a worker is replaced (with up to 14 % of jitter, so that not all go at once); 0 = never."""
    max_queue_size: int = 1024
    """Requests that may wait or run at the same time; one more is refused at once. 0 = unbounded (RoadRunner's
    default)."""
    allocate_timeout: Duration = 60.0
    """Longest time for a worker to start and say hello, and for a request to wait for a free one; seconds."""
    reset_timeout: Duration = 60.0
    """How long a reset waits for old workers to finish their requests before it kills them; seconds."""
    stream_timeout: Duration = 60.0
    """How long a worker may take to end a stream it was told to stop; seconds."""
    destroy_timeout: Duration = 60.0
    """How long removing a worker waits for a free one; seconds."""
    debug: bool = False
    """A new process for every request: code changes show at once. Nothing is kept alive."""
    command: Command = msgspec.field(default_factory=list)
    """Command of this pool's workers; empty = ``server.command``."""
    supervisor: SupervisorConfig | None = None
    dynamic_allocator: DynamicAllocatorConfig | None = None

    def workers_wanted(self) -> int:
        """``num_workers``, with 0 resolved to the CPUs this process may use."""
        if self.num_workers:
            return self.num_workers
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0)) or 1
        return os.cpu_count() or 1
