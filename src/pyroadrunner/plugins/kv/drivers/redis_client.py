"""Settings of the redis driver -> a client of redis-py: for a server, a cluster, or the master that sentinels name.

The choice is go-redis' (``NewUniversalClient``): ``master_name`` means sentinels, more than one address a cluster. What
RoadRunner leaves to go-redis' defaults has those here.
"""

from __future__ import annotations

import os
from ssl import TLSVersion
from typing import Any, cast

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import ExponentialWithJitterBackoff
from redis.cluster import LoadBalancingStrategy

from pyroadrunner.plugins.kv.config import RedisConfig, TlsConfig
from pyroadrunner.plugins.kv.store import StoreError

DIAL_TIMEOUT = 5.0
READ_TIMEOUT = 3.0
RETRIES = 3
MIN_BACKOFF = 0.008
MAX_BACKOFF = 0.512
IDLE_TIMEOUT = 1800.0
PORT = 6379

Client = Redis | RedisCluster


def make_client(config: RedisConfig) -> Client:
    """A client that connects when it is used first.

    Raises:
        StoreError: an address has no form; a cluster is to use a database other than 0.
    """
    addresses = [_address(text) for text in config.addrs]
    options = _options(config)
    if config.master_name:
        told = {"sentinel_kwargs": _sentinel_options(config, options), **options, **_login(config)}
        sentinel = Sentinel(addresses, **told)  # type: ignore[no-untyped-call]  # redis-py left it out
        return cast("Redis", sentinel.master_for(config.master_name, db=config.db))
    if len(addresses) == 1:
        host, port = addresses[0]
        return Redis(host=host, port=port, db=config.db, **options, **_login(config))
    if config.db:
        raise StoreError(f"a cluster has only the database 0, not {config.db}; remove `db`")
    nodes = [ClusterNode(host, port) for host, port in addresses]
    return RedisCluster(startup_nodes=nodes, load_balancing_strategy=_routing(config), **options, **_login(config))


def most_connections(config: RedisConfig) -> int:
    """How many operations may run at a time."""
    return config.pool_size or 10 * (os.cpu_count() or 1)


def pool_timeout(config: RedisConfig) -> float:
    """Seconds to wait for one of them to end."""
    return config.pool_timeout or _read_timeout(config) + 1.0


def _read_timeout(config: RedisConfig) -> float:
    return max(config.read_timeout or READ_TIMEOUT, config.write_timeout)


def _options(config: RedisConfig) -> dict[str, Any]:
    retries = {0: RETRIES, -1: 0}.get(config.max_retries, config.max_retries)
    longest = config.max_retry_backoff or MAX_BACKOFF
    backoff = ExponentialWithJitterBackoff(cap=longest, base=min(config.min_retry_backoff or MIN_BACKOFF, longest))
    return {
        "protocol": 2,  # has all that is needed, and every server speaks it
        "max_connections": most_connections(config),
        "socket_connect_timeout": config.dial_timeout or DIAL_TIMEOUT,
        "socket_timeout": _read_timeout(config),
        "health_check_interval": config.idle_timeout or IDLE_TIMEOUT,
        "retry": Retry(backoff, retries),
        **_tls(config.tls),
    }


def _login(config: RedisConfig) -> dict[str, Any]:
    return {"username": config.username or None, "password": config.password or None}


def _sentinel_options(config: RedisConfig, options: dict[str, Any]) -> dict[str, Any]:
    return {**options, "password": config.sentinel_password or None}


def _tls(tls: TlsConfig | None) -> dict[str, Any]:
    """The files are read for each connection, so a renewed certificate is used by the next one."""
    if tls is None:
        return {}
    return {
        "ssl": True,
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": True,
        "ssl_min_version": TLSVersion.TLSv1_2,
        "ssl_ca_certs": tls.root_ca or None,  # beside those of the system
        "ssl_certfile": tls.cert or None,
        "ssl_keyfile": tls.key or None,
    }


def _routing(config: RedisConfig) -> LoadBalancingStrategy | None:
    """Where a cluster is read from; ``None`` = from the masters."""
    if config.route_randomly:
        return LoadBalancingStrategy.RANDOM
    if config.read_only or config.route_by_latency:
        return LoadBalancingStrategy.ROUND_ROBIN
    return None


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.removeprefix("redis://").rpartition(":")
    if not colon:
        return text, PORT
    if not port.isdecimal():
        raise StoreError(f"{text!r} is no address; write host:port")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)
