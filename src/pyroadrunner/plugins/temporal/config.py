"""The ``temporal`` section (RoadRunner's keys: temporalio/roadrunner-temporal, config.go)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec.structs import force_setattr

from pyroadrunner.config.values import Duration, StringList, StringMap, unbuilt
from pyroadrunner.workers.config import Count, PoolConfig

DRIVERS = ("prometheus", "statsd")
_CLIENT_AUTH = (
    "no_client_cert",
    "request_client_cert",
    "require_any_client_cert",
    "verify_client_cert_if_given",
    "require_and_verify_client_cert",
)


class TlsConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``temporal.tls``: the connection uses TLS if the section is present."""

    key: str = ""
    """File with the client's private key."""
    cert: str = ""
    """File with the client's certificate."""
    root_ca: str = ""
    """File with certificates that the server's must be signed by; empty = those of the system."""
    server_name: str = ""
    """Name in the server's certificate, if it differs from the address."""
    client_auth_type: str = ""
    """Accepted; without effect on a client, as in RoadRunner."""
    use_h2c: bool = False
    """TLS without a client certificate (for API keys), despite its name."""

    def faults(self) -> Iterable[tuple[str, str]]:
        """A half of the pair, files that do not exist, unknown values."""
        if self.client_auth_type and self.client_auth_type not in _CLIENT_AUTH:
            yield "client_auth_type", f"unknown; use one of {', '.join(_CLIENT_AUTH)}"
        if not self.use_h2c:
            if self.cert and not self.key:
                yield "key", "is missing: cert and key belong together"
            if self.key and not self.cert:
                yield "cert", "is missing: cert and key belong together"
        for name in ("key", "cert", "root_ca"):
            file = getattr(self, name)
            if file and not Path(file).is_file():
                yield name, f"the file {file} does not exist"


class PrometheusConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``temporal.metrics.prometheus``."""

    address: str = "127.0.0.1:9091"
    """Address that serves `/metrics`."""
    type: str = ""
    """``summary`` or ``histogram``. The engine has histograms only."""
    prefix: str = ""
    """Before each name, with an underscore."""


class StatsdConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``temporal.metrics.statsd``."""

    host_port: str = "127.0.0.1:8125"
    """Address of the daemon; metrics are sent in UDP packets."""
    prefix: str = ""
    """Before each name, with a dot."""
    flush_interval: Duration = 1.0
    """Time between two reports."""
    flush_bytes: Count = 1432
    """Largest packet."""
    tags: StringMap = msgspec.field(default_factory=dict)
    """Added to all metrics."""
    tag_prefix: str = ""
    """Before each tag, in names."""
    tag_separator: str = ""
    """Between a tag and its value: tags become a part of the name. Empty = tags in the form of DogStatsD."""

    def __post_init__(self) -> None:
        if not self.flush_interval:
            force_setattr(self, "flush_interval", 1.0)
        if not self.flush_bytes:
            force_setattr(self, "flush_bytes", 1432)


class MetricsConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``temporal.metrics``: the engine's metrics (requests, tasks, caches). Those of the workers are in ``metrics``."""

    driver: str = "prometheus"
    """``prometheus`` or ``statsd``."""
    prometheus: PrometheusConfig | None = None
    statsd: StatsdConfig | None = None
    address: str = ""
    """The form before RoadRunner 2.12; wins over `prometheus.address`."""
    type: str = ""
    """The same for `prometheus.type`."""
    prefix: str = ""
    """The same for `prometheus.prefix`."""

    def __post_init__(self) -> None:
        nested = self.prometheus or PrometheusConfig()
        changed = {key: value for key in ("address", "type", "prefix") if (value := getattr(self, key))}
        force_setattr(self, "prometheus", msgspec.structs.replace(nested, **changed))
        if self.statsd is None:
            force_setattr(self, "statsd", StatsdConfig())

    def faults(self) -> Iterable[tuple[str, str]]:
        """Unknown drivers."""
        if self.driver not in DRIVERS:
            yield "driver", f'unknown driver "{self.driver}"; use one of {", ".join(DRIVERS)}'

    def warnings(self) -> Iterable[tuple[str, str]]:
        """Summaries."""
        if self.prometheus is not None and self.prometheus.type == "summary":
            yield "prometheus.type", "summaries are not available; latencies are histograms"


class TemporalConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``temporal``: a server of Temporal, and the workers of its workflows and activities."""

    address: str = "127.0.0.1:7233"
    """Host and port of the server's frontend."""
    namespace: str = "default"
    cache_size: Annotated[int, msgspec.Meta(ge=-1)] = 10_000
    """Workflow runs that each task queue keeps in memory; 0 = the default. -1 = none: every task replays its run (not
    in RoadRunner)."""
    activities: PoolConfig = PoolConfig()
    """The pool of the activity workers. Workflows run in one more worker."""
    disable_activity_workers: bool = False
    """Only run workflows: no activity workers, no activities."""
    tls: TlsConfig | None = None
    metrics: MetricsConfig | None = None
    interceptors: StringList = msgspec.field(default_factory=list)
    """Interceptors of installed packages, outermost first; empty = all."""
    data_converters: Annotated[
        StringList | None, unbuilt("custom converters of RoadRunner's Go plugins; payloads pass through unchanged")
    ] = None

    def __post_init__(self) -> None:
        if not self.cache_size:
            force_setattr(self, "cache_size", 10_000)
        if not self.namespace:
            force_setattr(self, "namespace", "default")
        if not self.address:
            force_setattr(self, "address", "127.0.0.1:7233")

    def faults(self) -> Iterable[tuple[str, str]]:
        """Interceptors named twice."""
        for at, name in enumerate(self.interceptors):
            if not name:
                yield f"interceptors.{at}", "is empty"
            elif name in self.interceptors[:at]:
                yield f"interceptors.{at}", f'"{name}" is named twice'
