"""OpenTelemetry's spans, as ``contracts.Span`` has them. The context goes along by hand: no task has one of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from pyroadrunner.plugins.otel.propagation import context_of, headers_of


class OtelSpan:
    """One span.

    Args:
        tracer: makes its children.
        context: what it is part of: its parent, the baggage.
    """

    __slots__ = ("_context", "_span", "_tracer")

    def __init__(
        self, tracer: Tracer, name: str, context: Context, attributes: Mapping[str, str | int] | None = None
    ) -> None:
        self._tracer = tracer
        self._span: Span = tracer.start_span(name, context, SpanKind.SERVER, attributes)
        self._context = set_span_in_context(self._span, context)

    @property
    def trace_id(self) -> str:
        context = self._span.get_span_context()
        return f"{context.trace_id:032x}" if context.is_valid else ""

    @property
    def recording(self) -> bool:
        return self._span.is_recording()

    def child(self, name: str) -> OtelSpan:
        return OtelSpan(self._tracer, name, self._context)

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        return headers_of(self._span.get_span_context(), self._context)

    def note(self, attributes: Mapping[str, str | int]) -> None:
        self._span.set_attributes(attributes)

    def event(self, name: str, attributes: Mapping[str, str | int]) -> None:
        self._span.add_event(name, attributes)

    def fail(self, why: str = "") -> None:
        self._span.set_status(Status(StatusCode.ERROR, why or None))

    def end(self) -> None:
        self._span.end()


def begin(
    tracer: Tracer, name: str, headers: Iterable[tuple[bytes, bytes]], attributes: Mapping[str, str | int]
) -> OtelSpan:
    """The span of a request, as a part of the trace that its headers name."""
    return OtelSpan(tracer, name, context_of(headers), attributes)
