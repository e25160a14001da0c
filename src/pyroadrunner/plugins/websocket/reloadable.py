"""The keys of ``websocket`` that ``rr reload`` applies. Pure.

Each key is in one of the two tables, or a test fails: ``rr reload`` must not report a change that it did not apply.
"""

from __future__ import annotations

from pyroadrunner.workers.reloadable import POOL_KEYS, POOL_RESTART_KEYS

RELOADABLE_KEYS = frozenset(
    {
        *(f"pool.{key}" for key in POOL_KEYS),
        "allowed_origins",
        "compression",
        "drain_timeout",
        "limits",
        "ping_interval",
        "ping_timeout",
        "topics",
    }
)

# Keys of paths, sockets, worker processes and Redis; applications hold the state of their channels.
RESTART_KEYS = frozenset(
    {
        "address",
        "apps",
        "apps_path",
        "config",
        "driver",
        "env",
        "events",
        "path",
        "prefix",
        "presence_ttl",
        "sse_path",
        "tls",
    }
    | {f"pool.{key}" for key in POOL_RESTART_KEYS}
)
