"""OTLP over gRPC."""

from __future__ import annotations

from collections.abc import Mapping

from grpc import Compression  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExporter

from pyroadrunner.plugins.otel.config import OtelConfig


def build(config: OtelConfig, environ: Mapping[str, str]) -> SpanExporter:
    """What the section does not say, the library takes from its variables."""
    return OTLPSpanExporter(
        endpoint=config.endpoint or None,
        # `None` = as the scheme or the variables say; they are not asked when there is an endpoint of ours.
        insecure=config.insecure if config.endpoint and "://" not in config.endpoint else None,
        headers={name.lower(): value for name, value in config.headers.items()} or None,  # gRPC takes no capitals
        compression=Compression.Gzip if config.compress else None,
    )
