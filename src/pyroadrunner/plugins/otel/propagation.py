"""Propagate traces between processes: W3C Trace Context and Baggage, and Jaeger's header.

If a request has both, W3C's headers win.
"""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.jaeger import JaegerPropagator
from opentelemetry.trace import SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

# Names of the headers that carry a trace.
CARRIERS = frozenset({b"traceparent", b"tracestate", b"baggage", b"uber-trace-id"})

_EMPTY = Context()
_W3C = TraceContextTextMapPropagator()
_BAGGAGE = W3CBaggagePropagator()
# The main header of each format; a later one takes precedence.
_INCOMING = (("uber-trace-id", JaegerPropagator()), ("traceparent", _W3C), ("baggage", _BAGGAGE))


def context_of(headers: Iterable[tuple[bytes, bytes]]) -> Context:
    """The trace context of a request; empty if it has none."""
    carrier: dict[str, list[str]] = {}
    for key, value in headers:
        if key in CARRIERS:
            carrier.setdefault(key.decode(), []).append(value.decode("latin-1"))
    if not carrier:
        return _EMPTY
    if "baggage" in carrier:  # may have several lines (W3C Baggage, section 3.2); the library reads only the first
        carrier["baggage"] = [",".join(carrier["baggage"])]
    context = _EMPTY
    for name, propagator in _INCOMING:
        if name in carrier:
            context = propagator.extract(carrier, context)
    return context


def headers_of(span: SpanContext, context: Context) -> list[tuple[bytes, bytes]]:
    """The headers that propagate a span to a peer.

    Args:
        context: the source of the baggage.
    """
    trace, own, flags = f"{span.trace_id:032x}", f"{span.span_id:016x}", span.trace_flags
    headers = [
        (b"traceparent", f"00-{trace}-{own}-{flags:02x}".encode()),
        (b"uber-trace-id", f"{trace}:{own}:0:{flags & 1}".encode()),
    ]
    if span.trace_state:
        headers.append((b"tracestate", span.trace_state.to_header().encode("latin-1", "replace")))
    if context:
        carrier: dict[str, str] = {}
        _BAGGAGE.inject(carrier, context)
        headers += [(name.encode(), value.encode("latin-1", "replace")) for name, value in carrier.items()]
    return headers
