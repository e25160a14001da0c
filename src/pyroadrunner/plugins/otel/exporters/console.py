"""Spans as lines of JSON, for terminals and pipes."""

from __future__ import annotations

from typing import TextIO

from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter


def lines_to(stream: TextIO) -> SpanExporter:
    """An exporter that writes one line per span."""
    return ConsoleSpanExporter(out=stream, formatter=lambda span: f"{span.to_json(indent=None)}\n")
