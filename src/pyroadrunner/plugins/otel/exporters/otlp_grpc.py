"""OTLP over gRPC."""

from __future__ import annotations

from collections.abc import Mapping

from grpc import Compression  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExporter

from pyroadrunner.plugins.otel.config import OtelConfig


def build(config: OtelConfig, environ: Mapping[str, str]) -> SpanExporter:
    """Create the exporter. For settings missing in the section, the library reads its variables."""
    return OTLPSpanExporter(
        endpoint=config.endpoint or None,
        # `None` = by the scheme or the variables, which the library ignores if `endpoint` is passed.
        insecure=config.insecure if config.endpoint and "://" not in config.endpoint else None,
        headers={name.lower(): value for name, value in config.headers.items()} or None,  # gRPC requires lower case
        compression=Compression.Gzip if config.compress else None,
    )
