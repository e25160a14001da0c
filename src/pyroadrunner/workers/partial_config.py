"""The ``pool`` of a part of a plugin (a route, a pipeline): keys that it does not set come from the plugin's pool."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from pyroadrunner.config.partial import Partial
from pyroadrunner.config.values import Command, Duration
from pyroadrunner.workers.config import Count, DynamicAllocatorConfig, PoolConfig, SupervisorConfig


class PartialSupervisorConfig(Partial, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Some keys of ``pool.supervisor``."""

    whole: ClassVar[type[msgspec.Struct]] = SupervisorConfig

    watch_tick: Duration | None = None
    ttl: Duration | None = None
    idle_ttl: Duration | None = None
    exec_ttl: Duration | None = None
    max_worker_memory: Count | None = None


class PartialDynamicAllocatorConfig(Partial, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Some keys of ``pool.dynamic_allocator``."""

    whole: ClassVar[type[msgspec.Struct]] = DynamicAllocatorConfig

    max_workers: Count | None = None
    scale_up_wait: Duration | None = None
    spawn_rate: Count | None = None
    idle_timeout: Duration | None = None


class PartialPoolConfig(Partial, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Some keys of ``pool``."""

    whole: ClassVar[type[msgspec.Struct]] = PoolConfig

    num_workers: Count | None = None
    max_jobs: Count | None = None
    max_queue_size: Count | None = None
    max_lifo_wait: Duration | None = None
    allocate_timeout: Duration | None = None
    reset_timeout: Duration | None = None
    stream_timeout: Duration | None = None
    destroy_timeout: Duration | None = None
    debug: bool | None = None
    command: Command | None = None
    supervisor: PartialSupervisorConfig | None = None
    dynamic_allocator: PartialDynamicAllocatorConfig | None = None
