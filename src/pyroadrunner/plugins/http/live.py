"""Which keys of ``http`` are taken over by ``rr reload``. Pure.

A key is in one of the two tables, or a test fails: nobody may be told that a change counts which does not.
"""

from __future__ import annotations

LIVE_KEYS = frozenset(
    {
        "access_logs",
        "codec",
        "custom",
        "dev",
        "forms",
        "gzip",
        "headers",
        "internal_error_code",
        "max_request_size",
        "middleware",
        "overload_code",
        "raw_body",
        "slow_request",
        "static",
        "trusted_headers",
        "trusted_subnets",
        "trusted_walk",
        "uploads",
        "pool.allocate_timeout",
        "pool.destroy_timeout",
        "pool.dynamic_allocator",
        "pool.max_jobs",
        "pool.max_lifo_wait",
        "pool.max_queue_size",
        "pool.num_workers",
        "pool.reset_timeout",
        "pool.stream_timeout",
        "pool.supervisor",
    }
)

# The sockets, and what a worker is.
RESTART_KEYS = frozenset(
    {"address", "fcgi", "http10", "http2", "http3", "routes", "socket_mode", "ssl", "pool.command", "pool.debug"}
)
