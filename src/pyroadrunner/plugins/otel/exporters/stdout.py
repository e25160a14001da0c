"""Spans as lines of JSON on stdout."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from opentelemetry.sdk.trace.export import SpanExporter

from pyroadrunner.plugins.otel.config import OtelConfig
from pyroadrunner.plugins.otel.exporters.console import lines_to


def build(config: OtelConfig, environ: Mapping[str, str]) -> SpanExporter:
    """Create the exporter; it has no settings."""
    return lines_to(sys.stdout)
