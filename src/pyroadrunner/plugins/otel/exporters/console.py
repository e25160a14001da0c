"""Spans as lines of JSON, for eyes and pipes."""

from __future__ import annotations

from typing import TextIO

from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter


def lines_to(stream: TextIO) -> SpanExporter:
    """One line for each span."""
    return ConsoleSpanExporter(out=stream, formatter=lambda span: f"{span.to_json(indent=None)}\n")
