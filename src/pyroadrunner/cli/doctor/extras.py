"""Check for optional Python packages that the config needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from pyroadrunner.cli.doctor.endpoints import value
from pyroadrunner.cli.doctor.finding import Finding, fail, ok, warn

_PART = "packages"
_ACME = ("acme", "josepy", "cryptography")
_REDIS = ("redis", "hiredis")
_OTEL = ("opentelemetry.sdk", "opentelemetry.propagators.jaeger")
_EXPORTERS = {  # by `otel.exporter`, for otlp also by `otel.client`; the others are part of the SDK
    "zipkin": ("opentelemetry.exporter.zipkin.json",),
    "otlp": ("opentelemetry.exporter.otlp.proto.http",),
    "otlp grpc": ("opentelemetry.exporter.otlp.proto.grpc",),
}
_CODINGS = {"zstd": "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd", "br": "brotli"}


@dataclass(frozen=True, slots=True)
class Need:
    """The packages that one part of the config needs.

    Attributes:
        key: key of that part of the config.
        modules: modules that must be installed.
        extra: the extra of ``pyroadrunner`` that installs them.
        without: what the server does without them; empty = it does not start.
    """

    key: str
    modules: tuple[str, ...]
    extra: str
    without: str = ""


def needs(config: Mapping[str, Any], *, experimental: bool) -> Iterator[Need]:
    """The needs of a config. Pure.

    Args:
        config: the effective one.
        experimental: whether ``-e`` was given.
    """
    if value(config, "http.ssl.acme") is not None:
        yield Need("http.ssl.acme", _ACME, "acme")
    if experimental and value(config, "http.http3.address"):
        yield Need("http.http3", ("aioquic",), "http3")
    if "gzip" in (value(config, "http.middleware") or ()):
        for name in value(config, "http.gzip.encodings") or ():
            if name in _CODINGS:
                without = f"{name} is not offered to clients"
                yield Need(f"http.gzip.encodings: {name}", (_CODINGS[name],), "compress", without)
    if value(config, "grpc.proto") and value(config, "grpc.reflection"):
        yield Need("grpc.reflection", ("grpc_tools",), "grpc", "clients get no descriptions of services")
    if value(config, "otel") is not None:
        exporter = str(value(config, "otel.exporter"))
        if exporter == "otlp" and value(config, "otel.client") == "grpc":
            exporter = "otlp grpc"
        yield Need("otel", _OTEL + _EXPORTERS.get(exporter, ()), "otel")
    if value(config, "centrifuge") is not None:
        yield Need("centrifuge", ("grpc",), "centrifuge")
    for section in ("lock", "schedule"):
        if value(config, f"{section}.driver") == "redis":
            yield Need(f"{section}.driver", _REDIS, "redis")
    if value(config, "mercure") is not None:
        yield Need("mercure", ("jwt",), "mercure")
        if value(config, "mercure.store") == "redis":
            yield Need("mercure.store", _REDIS, "redis")
    if value(config, "discovery.registry") is not None:
        yield from _of_discovery(config)
    for section in ("websocket", "websockets"):
        if value(config, section) is not None:
            yield Need(section, ("websockets",), "websocket")
    if value(config, "websocket.driver") == "redis":
        yield Need("websocket.driver", _REDIS, "redis")
    if any("://" in url for url in _webhooks(config)):
        yield Need("websocket.apps: webhooks", ("aiohttp",), "webhooks")
    if value(config, "temporal") is not None:
        yield Need("temporal", ("temporalio",), "temporal")
    for section in ("kv", "broadcast"):
        stores = value(config, section)
        for name, store in stores.items() if isinstance(stores, dict) else ():
            if isinstance(store, dict) and store.get("driver") == "redis":
                yield Need(f"{section}.{name}.driver", _REDIS, "redis")
    yield from _of_jobs(config)


def _of_discovery(config: Mapping[str, Any]) -> Iterator[Need]:
    from pyroadrunner.plugins.discovery.installed import installed_drivers  # imports the settings of all drivers

    info = installed_drivers().get(str(value(config, "discovery.registry.driver")))
    if info is not None and info.modules:
        yield Need("discovery.registry.driver", info.modules, info.extra)


def _webhooks(config: Mapping[str, Any]) -> Iterator[str]:
    apps = value(config, "websocket.apps")
    for app in apps if isinstance(apps, list) else ():
        webhooks = app.get("webhooks") if isinstance(app, dict) else None
        for webhook in webhooks if isinstance(webhooks, list) else ():
            yield str(webhook.get("url")) if isinstance(webhook, dict) else ""


def _of_jobs(config: Mapping[str, Any]) -> Iterator[Need]:
    pipelines = value(config, "jobs.pipelines")
    if not isinstance(pipelines, dict):
        return
    from pyroadrunner.plugins.jobs.installed import installed_drivers  # imports the settings of all drivers

    drivers = installed_drivers()
    for name, pipeline in pipelines.items():
        info = drivers.get(str(pipeline.get("driver"))) if isinstance(pipeline, dict) else None
        if info is not None and info.modules and not _in_sqlite(config, pipeline):
            yield Need(f"jobs.pipelines.{name}.driver", info.modules, info.extra)


def _in_sqlite(config: Mapping[str, Any], pipeline: Mapping[str, Any]) -> bool:
    """Whether a pipeline of the driver ``sql`` needs no client library."""
    dsn = value(pipeline, "config.dsn") or value(config, "sql.dsn") or ""
    return value(pipeline, "driver") == "sql" and str(dsn).startswith("sqlite:")


def inspect(need: Need) -> Finding:
    """Check whether the modules of a need are installed."""
    missing = [module for module in need.modules if not _is_there(module)]
    if not missing:
        return ok(_PART, need.key, _sum(need.modules, "installed"))
    todo = f"pip install 'pyroadrunner[{need.extra}]'" if need.extra else "install the package of the driver again"
    found = _sum(missing, "not installed")
    if need.without:
        return warn(_PART, need.key, f"{found}, so {need.without}", todo)
    return fail(_PART, need.key, found, todo)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False


def _sum(modules: list[str] | tuple[str, ...], how: str) -> str:
    if len(modules) == 1:
        return f"the module {modules[0]} is {how}"
    return f"the modules {', '.join(modules)} are {how}"
