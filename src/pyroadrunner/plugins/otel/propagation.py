"""Traces across processes: W3C Trace Context and Baggage, and Jaeger's header.

Of a request that has both, W3C's counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.jaeger import JaegerPropagator
from opentelemetry.trace import SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

# Names of headers that carry a trace.
CARRIERS = frozenset({b"traceparent", b"tracestate", b"baggage", b"uber-trace-id"})

_EMPTY = Context()
_W3C = TraceContextTextMapPropagator()
_BAGGAGE = W3CBaggagePropagator()
_INCOMING = (JaegerPropagator(), _W3C, _BAGGAGE)


def context_of(headers: Iterable[tuple[bytes, bytes]]) -> Context:
    """Which trace a request belongs to; the empty context when to none."""
    carrier: dict[str, list[str]] = {}
    for name, value in headers:
        if name in CARRIERS:
            carrier.setdefault(name.decode(), []).append(value.decode("latin-1"))
    if not carrier:
        return _EMPTY
    if "baggage" in carrier:  # may come in several lines (W3C Baggage, section 3.2); the library reads the first
        carrier["baggage"] = [",".join(carrier["baggage"])]
    context = _EMPTY
    for propagator in _INCOMING:
        context = propagator.extract(carrier, context)
    return context


def headers_of(span: SpanContext, context: Context) -> list[tuple[bytes, bytes]]:
    """What tells a peer of a span; nothing for one that is none."""
    if not span.is_valid:
        return []
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, context)
    _BAGGAGE.inject(carrier, context)
    carrier["uber-trace-id"] = f"{span.trace_id:032x}:{span.span_id:016x}:0:{span.trace_flags & 1:x}"
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in carrier.items()]
