"""Zipkin's JSON, version 2."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.trace.export import SpanExporter

from pyroadrunner.plugins.otel.config import OtelConfig


def build(config: OtelConfig, environ: Mapping[str, str]) -> SpanExporter:
    """Create the exporter. The default endpoint is ``OTEL_EXPORTER_ZIPKIN_ENDPOINT``, or
    http://localhost:9411/api/v2/spans."""
    return ZipkinExporter(endpoint=config.endpoint or None)
