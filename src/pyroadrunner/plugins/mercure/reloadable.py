"""The keys of ``mercure`` that ``rr reload`` applies. Pure.

Each key is in one of the two tables, or a test fails: ``rr reload`` must not report a change that it did not apply.
"""

from __future__ import annotations

RELOADABLE_KEYS = frozenset(
    {
        "anonymous",
        "cookie_name",
        "cors_origins",
        "dispatch_timeout",
        "drain_retry",
        "heartbeat",
        "history.replay_unknown",
        "issuer",
        "max_buffer_size",
        "max_queue",
        "max_request_body_size",
        "max_subscribers",
        "max_topics",
        "publish_origins",
        "publisher_jwks_url",
        "publisher_jwt",
        "resource_identifier",
        "subscriber_jwks_url",
        "subscriber_jwt",
        "write_timeout",
    }
)

# Keys of paths, sockets and the store, and of what open streams are part of.
RESTART_KEYS = frozenset(
    {
        "address",
        "config",
        "history.max_memory",
        "history.size",
        "path",
        "prefix",
        "public_url",
        "sqlite",
        "store",
        "subscriptions",
        "tls",
        "topic_selector_cache",
    }
)
