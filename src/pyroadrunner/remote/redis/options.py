"""Settings of the redis driver as options of redis-py, which handles clusters and sentinels."""

from __future__ import annotations

from ssl import TLSVersion
from typing import Any

from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as ConnectionFailed

from pyroadrunner.remote.redis.settings import RedisSettings


def connection_options(settings: RedisSettings) -> dict[str, Any]:
    """Options for connecting, without the login. Timeouts are not retried."""
    backoff = ExponentialWithJitterBackoff(cap=settings.max_backoff, base=settings.min_backoff)
    options: dict[str, Any] = {
        "protocol": 2,  # sufficient, and every server supports it
        "socket_connect_timeout": settings.dial_timeout,
        "socket_timeout": settings.timeout,
        "health_check_interval": settings.idle,
        "retry": Retry(backoff, settings.retries, (ConnectionFailed,)),
    }
    if settings.tls is not None:
        options |= {
            "ssl": True,
            "ssl_cert_reqs": "required",
            "ssl_check_hostname": True,
            "ssl_min_version": TLSVersion.TLSv1_2,
            "ssl_ca_certs": settings.tls.root_ca or None,  # besides those of the system
            "ssl_certfile": settings.tls.cert or None,
            "ssl_keyfile": settings.tls.key or None,
        }
    return options
