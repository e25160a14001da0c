"""The keys of ``http`` that ``rr reload`` applies. Pure.

Each key is in one of the two tables, or a test fails: ``rr reload`` must not report a change that it did not apply.
"""

from __future__ import annotations

from pyroadrunner.workers.reloadable import POOL_KEYS, POOL_RESTART_KEYS

RELOADABLE_KEYS = frozenset(
    {
        *(f"pool.{key}" for key in POOL_KEYS),
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
    }
)

# Keys of the sockets and of the worker processes.
RESTART_KEYS = frozenset(
    {"address", "fcgi", "http2", "http3", "limits", "routes", "socket_mode", "ssl"}
    | {f"pool.{key}" for key in POOL_RESTART_KEYS}
)
