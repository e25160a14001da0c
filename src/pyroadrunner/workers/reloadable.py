"""The keys of a ``pool`` section that ``rr reload`` applies, and those that need a restart. Pure."""

from __future__ import annotations

POOL_KEYS = frozenset(
    {
        "allocate_timeout",
        "destroy_timeout",
        "dynamic_allocator",
        "max_jobs",
        "max_lifo_wait",
        "max_queue_size",
        "num_workers",
        "reset_timeout",
        "stream_timeout",
        "supervisor",
    }
)

# They decide what a worker runs.
POOL_RESTART_KEYS = frozenset({"command", "debug"})
