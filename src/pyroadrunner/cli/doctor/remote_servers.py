"""Check that the servers named in the config accept connections."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

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
    "sql.dsn": 5432,
    "sqs.endpoint": 80,
    "google_pub_sub.endpoint": 443,
    "nsq.addr": 4150,
    "temporal.address": 7233,
    "centrifuge.grpc_api_address": 10000,
    "discovery.registry.address": 80,
    "discovery.registry.addresses": 80,
}
_STORES = {"redis": ("addrs", 6379, "127.0.0.1:6379"), "memcached": ("addr", 11211, "127.0.0.1:11211")}
# Drivers of jobs: their section's key and their default address.
_DRIVERS = {
    "amqp": ("amqp.addr", "127.0.0.1:5672"),
    "beanstalk": ("beanstalk.addr", "127.0.0.1:11300"),
    "nats": ("nats.addr", "127.0.0.1:4222"),
    "redis": ("redis.addrs", "127.0.0.1:6379"),
    "sql": ("sql.dsn", "127.0.0.1:5432"),
}
_OWN = {"redis": ("config.redis.addrs", 6379), "sql": ("config.dsn", 5432)}  # a pipeline's own server
_PORTS = {"amqps": 5671, "https": 443}  # of schemes with another port than the default one


def brokers(config: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Key, host and port of each server; the host of a unix socket is ``unix:PATH``. Pure.

    Args:
        config: the effective config; secrets in addresses may be masked.
    """
    for key, port in _SECTIONS.items():
        yield from _servers(key, value(config, key), port)
    for section in ("lock", "schedule"):
        if value(config, f"{section}.driver") == "redis" and value(config, "redis.addrs") is None:
            yield from _of_store(f"{section}.config", value(config, f"{section}.config"), "redis")
    yield from _of_jobs(config)
    stores = value(config, "kv")
    for name, store in stores.items() if isinstance(stores, dict) else ():
        if isinstance(store, dict) and store.get("driver") in _STORES:
            yield from _of_store(f"kv.{name}.config", store.get("config"), store["driver"])


def _of_store(key: str, config: Any, driver: str) -> Iterator[tuple[str, str, int]]:
    field, port, default = _STORES[driver]
    yield from _servers(f"{key}.{field}", value({"config": config}, f"config.{field}") or default, port)


def _of_jobs(config: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Servers of pipelines without a section, and those that a pipeline names itself."""
    pipelines = value(config, "jobs.pipelines")
    found = set()  # drivers whose default server was named
    for name, pipeline in pipelines.items() if isinstance(pipelines, dict) else ():
        driver = pipeline.get("driver") if isinstance(pipeline, dict) else None
        field, port = _OWN.get(str(driver), ("", 0))
        if field and (own := value(pipeline, field)):
            yield from _servers(f"jobs.pipelines.{name}.{field}", own, port)
        elif driver in _DRIVERS and driver not in found:
            section, default = _DRIVERS[driver]
            if value(config, section) is None:
                found.add(driver)
                yield from _servers(f"jobs.pipelines.{name}.driver", default, 0)


def _servers(key: str, found: Any, port: int) -> Iterator[tuple[str, str, int]]:
    for text in _texts(found):
        scheme, _, rest = text.partition(":")
        if scheme == "unix":
            yield key, f"unix:{rest.removeprefix('//')}", 0
        elif scheme in ("postgres", "postgresql"):
            yield from ((key, host, number) for host, number in _postgres(text, port))
        elif scheme not in ("sqlite", "dns"):
            yield key, *host_and_port(text, _PORTS.get(scheme, port))


def _postgres(dsn: str, port: int) -> Iterator[tuple[str, int]]:
    """The servers of a DSN, which may name several. Without a host the client looks for sockets: not checked."""
    url = urlsplit(dsn)
    named = url.netloc.rpartition("@")[2] or ",".join(parse_qs(url.query).get("host", []))
    ports = parse_qs(url.query).get("port", [str(port)])[0]
    for text in named.split(",") if named else ():
        if text.startswith("/"):
            yield f"unix:{text}/.s.PGSQL.{ports}", 0
        else:
            yield host_and_port(text, int(ports) if ports.isdecimal() else port)


def host_and_port(text: str, port: int) -> tuple[str, int]:
    """Host and port of ``host``, ``host:port``, ``amqp://user:password@host:port/path``. Pure."""
    url = urlsplit(text if "://" in text else f"//{text}")
    try:
        return url.hostname or "127.0.0.1", url.port or port
    except ValueError:  # the port is not a number
        return url.hostname or "127.0.0.1", port


def inspect(key: str, host: str, port: int) -> Finding:
    """Check whether a server accepts connections."""
    shown = host if host.startswith("unix:") else f"{host}:{port}"
    try:
        if host.startswith("unix:"):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(_PATIENCE)
                probe.connect(host.removeprefix("unix:"))
        else:
            socket.create_connection((host, port), _PATIENCE).close()
    except OSError as wrong:
        reason = "no answer" if isinstance(wrong, TimeoutError) else (wrong.strerror or str(wrong)).lower()
        return fail(_PART, key, f"{shown}: {reason}", "start it, or correct the address; a firewall may block it")
    return ok(_PART, key, f"{shown} answers")


def _texts(found: Any) -> list[str]:
    if isinstance(found, str):
        if found.startswith("postgres"):
            return [found]  # its own syntax of several servers
        return [part for text in found.split(",") if (part := text.strip())]
    return [str(one) for one in found] if isinstance(found, list) else []
