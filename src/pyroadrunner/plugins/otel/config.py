"""The ``otel`` section: where traces go, and who they say they are from. (rpc-cli-config.md, section 10)"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pyroadrunner.config.values import StringMap

EXPORTERS = ("otlp", "zipkin", "stdout", "stderr")
CLIENTS = ("http", "grpc")


class ResourceConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``otel.resource``: what each trace says of its sender."""

    service_name: str = ""
    """Empty = ``OTEL_SERVICE_NAME``, or what ``OTEL_RESOURCE_ATTRIBUTES`` says, or `RoadRunner`."""
    service_version: str = ""
    """Empty = what ``OTEL_RESOURCE_ATTRIBUTES`` says, or `1.0.0`."""
    service_instance_id: str = ""
    """Empty = what ``OTEL_RESOURCE_ATTRIBUTES`` says, or a random UUID."""
    service_namespace: str = ""
    """Empty = what ``OTEL_RESOURCE_ATTRIBUTES`` says, or the service's name, a hyphen and a random UUID."""


class OtelConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``otel``."""

    exporter: str = "otlp"
    """``otlp``, ``zipkin``, ``stdout`` or ``stderr``."""
    client: str = ""
    """How OTLP is spoken: ``http`` or ``grpc``; empty = what ``OTEL_EXPORTER_OTLP_TRACES_PROTOCOL`` or
    ``OTEL_EXPORTER_OTLP_PROTOCOL`` says, or http."""
    endpoint: str = ""
    """``host:port`` of an OTLP receiver, the whole URL of a Zipkin one; empty = what ``OTEL_EXPORTER_...`` says, or
    localhost."""
    insecure: bool = False
    """Speak OTLP without TLS; it counts where ``endpoint`` is set and has no scheme."""
    compress: bool = False
    """Compress with gzip what is sent to an OTLP receiver."""
    custom_url: str = ""
    """Path of the URL for the client ``http``; empty = `/v1/traces`."""
    headers: StringMap = msgspec.field(default_factory=dict)
    """Sent along to an OTLP receiver."""
    resource: ResourceConfig = ResourceConfig()
    service_name: str = ""
    """Deprecated: write ``resource.service_name``."""
    service_version: str = ""
    """Deprecated: write ``resource.service_version``."""

    def faults(self) -> Iterable[tuple[str, str]]:
        """An exporter that is none, an endpoint it can't use."""
        if self.exporter == "jaeger":
            yield (
                "exporter",
                "jaeger is gone from OpenTelemetry; Jaeger itself takes otlp, on port 4318 (4317 with grpc)",
            )
        elif self.exporter not in EXPORTERS:
            yield "exporter", f"unknown exporter: {self.exporter}; there are {', '.join(EXPORTERS)}"
        if self.exporter == "zipkin" and self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            yield "endpoint", "for zipkin write the whole URL: http://localhost:9411/api/v2/spans"

    def warnings(self) -> Iterable[tuple[str, str]]:
        """What counts no longer, or not here."""
        if self.client and self.client not in CLIENTS:
            yield "client", f'"{self.client}" is unknown and taken for http; there are {", ".join(CLIENTS)}'
        for key in ("service_name", "service_version"):
            if getattr(self, key):
                yield key, f"is deprecated; write resource.{key}"
