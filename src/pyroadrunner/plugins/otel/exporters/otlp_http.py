"""OTLP over HTTP, in protobuf."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExporter

from pyroadrunner.plugins.otel.client import http_url
from pyroadrunner.plugins.otel.config import OtelConfig


def build(config: OtelConfig, environ: Mapping[str, str]) -> SpanExporter:
    """Create the exporter. For settings missing in the section, the library reads its variables."""
    return OTLPSpanExporter(
        endpoint=http_url(config, environ),
        headers=config.headers or None,
        compression=Compression.Gzip if config.compress else None,
    )
