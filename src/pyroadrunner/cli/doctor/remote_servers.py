"""Check that the servers named in the config accept connections."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pyroadrunner.cli.doctor.endpoints import value
from pyroadrunner.cli.doctor.finding import Finding, fail, ok

_PART = "brokers"
_PATIENCE = 2.0  # seconds
# Key -> default port.
_SECTIONS = {
    "amqp.addr": 5672,
    "beanstalk.addr": 11300,
    "nats.addr": 4222,
    "redis.addrs": 6379,
    "kafka.brokers": 9092,
    "google_pub_sub.endpoint": 443,
    "nsq.addr": 4150,
    "temporal.address": 7233,
    "centrifuge.grpc_api_address": 10000,
}
_STORES = {"redis": ("addrs", 6379, "127.0.0.1:6379"), "memcached": ("addr", 11211, "127.0.0.1:11211")}


def brokers(config: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Key, host and port of each server. Pure.

    Args:
        config: the effective config; secrets in addresses may be masked.
    """
    for key, port in _SECTIONS.items():
        for text in _texts(value(config, key)):
            if not text.startswith(("unix:", "dns:")):
                yield key, *host_and_port(text, port)
    for section in ("lock", "schedule"):
        if value(config, f"{section}.driver") == "redis" and value(config, "redis.addrs") is None:
            field, port, default = _STORES["redis"]
            for text in _texts(value(config, f"{section}.config.{field}")) or [default]:
                yield f"{section}.config.{field}", *host_and_port(text, port)
    yield from _of_jobs(config)
    stores = value(config, "kv")
    for name, store in stores.items() if isinstance(stores, dict) else ():
        if isinstance(store, dict) and store.get("driver") in _STORES:
            field, port, default = _STORES[store["driver"]]
            for text in _texts(value(store, f"config.{field}")) or [default]:
                yield f"kv.{name}.config.{field}", *host_and_port(text, port)


def _of_jobs(config: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Servers of pipelines without a section, and those that a pipeline names itself."""
    pipelines = value(config, "jobs.pipelines")
    for name, pipeline in pipelines.items() if isinstance(pipelines, dict) else ():
        driver = value(pipeline, "driver") if isinstance(pipeline, dict) else None
        if driver == "redis":
            own = _texts(value(pipeline, "config.redis.addrs"))
            without = [] if value(config, "redis.addrs") is not None else ["127.0.0.1:6379"]
            for text in own or without:
                yield f"jobs.pipelines.{name}.config.redis.addrs", *host_and_port(text, 6379)
        elif driver == "beanstalk" and value(config, "beanstalk.addr") is None:
            yield f"jobs.pipelines.{name}.driver", "127.0.0.1", 11300


def host_and_port(text: str, port: int) -> tuple[str, int]:
    """Host and port of ``host``, ``host:port``, ``amqp://user:password@host:port/path``. Pure."""
    url = urlsplit(text if "://" in text else f"//{text}")
    try:
        return url.hostname or "127.0.0.1", url.port or port
    except ValueError:  # the port is not a number
        return url.hostname or "127.0.0.1", port


def inspect(key: str, host: str, port: int) -> Finding:
    """Check whether a server accepts connections."""
    try:
        socket.create_connection((host, port), _PATIENCE).close()
    except OSError as wrong:
        reason = "no answer" if isinstance(wrong, TimeoutError) else (wrong.strerror or str(wrong)).lower()
        return fail(_PART, key, f"{host}:{port}: {reason}", "start it, or correct the address; a firewall may block it")
    return ok(_PART, key, f"{host}:{port} answers")


def _texts(found: Any) -> list[str]:
    if isinstance(found, str):
        return [part for part in found.split(",") if part]
    return [str(one) for one in found] if isinstance(found, list) else []
