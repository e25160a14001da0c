"""The ``otel`` section: the receiver of traces, and the resource that describes their sender (rpc-cli-config.md,
section 10)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pyroadrunner.config.values import StringMap

EXPORTERS = ("otlp", "zipkin", "stdout", "stderr")
CLIENTS = ("http", "grpc")


class ResourceConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``otel.resource``: describes the sender in each trace."""

    service_name: str = ""
    """Empty = ``OTEL_SERVICE_NAME``, else from ``OTEL_RESOURCE_ATTRIBUTES``, else `RoadRunner`."""
    service_version: str = ""
    """Empty = from ``OTEL_RESOURCE_ATTRIBUTES``, else `1.0.0`."""
    service_instance_id: str = ""
    """Empty = from ``OTEL_RESOURCE_ATTRIBUTES``, else a random UUID."""
    service_namespace: str = ""
    """Empty = from ``OTEL_RESOURCE_ATTRIBUTES``, else the service's name, a hyphen and a random UUID."""


class OtelConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``otel``: traces of requests, calls and jobs for OpenTelemetry."""

    exporter: str = "otlp"
    """``otlp``, ``zipkin``, ``stdout`` or ``stderr``."""
    client: str = ""
    """Protocol of OTLP: ``http`` or ``grpc``; empty = ``OTEL_EXPORTER_OTLP_TRACES_PROTOCOL`` or
    ``OTEL_EXPORTER_OTLP_PROTOCOL``, else http."""
    endpoint: str = ""
    """``host:port`` of an OTLP receiver, or the full URL of a Zipkin one; empty = from ``OTEL_EXPORTER_...``, else
    localhost."""
    insecure: bool = False
    """Use OTLP without TLS; applies if ``endpoint`` is set and has no scheme."""
    compress: bool = False
    """Compress OTLP requests with gzip."""
    custom_url: str = ""
    """Path of the URL for the client ``http``; empty = `/v1/traces`."""
    headers: StringMap = msgspec.field(default_factory=dict)
    """Headers of OTLP requests."""
    resource: ResourceConfig = ResourceConfig()
    service_name: str = ""
    """Deprecated: use ``resource.service_name``."""
    service_version: str = ""
    """Deprecated: use ``resource.service_version``."""

    def faults(self) -> Iterable[tuple[str, str]]:
        """An unknown exporter, or an endpoint it can't use."""
        if self.exporter == "jaeger":
            yield (
                "exporter",
                "OpenTelemetry has removed jaeger; Jaeger accepts otlp on port 4318 (4317 with grpc)",
            )
        elif self.exporter not in EXPORTERS:
            yield "exporter", f"unknown exporter: {self.exporter}; use one of {', '.join(EXPORTERS)}"
        if self.exporter == "zipkin" and self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            yield "endpoint", "zipkin needs the full URL: http://localhost:9411/api/v2/spans"

    def warnings(self) -> Iterable[tuple[str, str]]:
        """Deprecated keys and unknown clients."""
        if self.client and self.client not in CLIENTS:
            yield "client", f'"{self.client}" is unknown, http is used; use one of {", ".join(CLIENTS)}'
        for key in ("service_name", "service_version"):
            if getattr(self, key):
                yield key, f"is deprecated; use resource.{key}"
