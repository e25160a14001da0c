"""Spans: their trace, their children, the headers that tell of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from pyroadrunner.plugins.otel.span import OtelSpan, begin

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
OTHER = "4bf92f3577b34da6a3ce929d0e0e4737"


class Recorder:
    """A tracer and what it has recorded."""

    def __init__(self, *, off: bool = False) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False) if off else TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._tracer = provider.get_tracer("test")

    def begin(self, *headers: tuple[str, str]) -> OtelSpan:
        pairs = [(name.encode(), value.encode()) for name, value in headers]
        return begin(self._tracer, "/a", pairs, {"url.path": "/a"})

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()


def ids(span: ReadableSpan) -> tuple[str, str]:
    """Trace and parent."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}" if span.parent else ""


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("traceparent", f"00-{TRACE}-{PARENT}-01")], (TRACE, PARENT)),
        ([("uber-trace-id", f"{TRACE}:{PARENT}:0:1")], (TRACE, PARENT)),
        ([("uber-trace-id", f"{OTHER}:{PARENT}:0:1"), ("traceparent", f"00-{TRACE}-{PARENT}-01")], (TRACE, PARENT)),
        ([("uber-trace-id", f"{TRACE}:{PARENT}:0:1"), ("traceparent", "garbage")], (TRACE, PARENT)),
    ],
)
def test_a_request_goes_on_with_the_trace_of_its_headers(
    headers: list[tuple[str, str]], expected: tuple[str, str]
) -> None:
    recorder = Recorder()
    span = recorder.begin(*headers)
    span.end()
    assert ids(recorder.spans[0]) == expected
    assert span.trace_id == expected[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("traceparent", "garbage"),
        ("traceparent", f"00-{'0' * 32}-{PARENT}-01"),
        ("uber-trace-id", "a:b"),
        ("uber-trace-id", f"{'f' * 400}:{PARENT}:0:1"),
        ("uber-trace-id", f"-1:{PARENT}:0:1"),
        ("uber-trace-id", "é:::"),
        ("tracestate", "a=b"),
        ("baggage", ",;=" * 5000),
    ],
)
def test_garbage_begins_a_trace_of_its_own(name: str, value: str) -> None:
    recorder = Recorder()
    span = recorder.begin((name, value))
    span.end()
    assert ids(recorder.spans[0]) == (span.trace_id, "")
    assert len(span.trace_id) == 32


def test_a_child_is_inside_and_the_headers_tell_of_it() -> None:
    recorder = Recorder()
    span = recorder.begin(
        ("traceparent", f"00-{TRACE}-{PARENT}-01"), ("tracestate", "v=1"), ("baggage", "a=1"), ("baggage", "b=2")
    )
    child = span.child("http")
    told = {name.decode(): value.decode() for name, value in child.headers()}
    child.end()
    span.end()
    inner, outer = recorder.spans
    assert outer.context is not None
    assert inner.context is not None
    assert ids(inner) == (TRACE, f"{outer.context.span_id:016x}")
    own = f"{inner.context.span_id:016x}"
    assert told == {
        "traceparent": f"00-{TRACE}-{own}-01",
        "tracestate": "v=1",
        "baggage": "a=1,b=2",
        "uber-trace-id": f"{TRACE}:{own}:0:1",
    }
    assert (inner.name, inner.kind) == ("http", SpanKind.SERVER)


def test_what_is_told_to_a_span_is_in_it() -> None:
    recorder = Recorder()
    span = recorder.begin()
    assert span.recording
    span.note({"http.response.status_code": 500})
    span.event("write", {"http.wrote_bytes": 1})
    span.fail("why")
    span.end()
    [done] = recorder.spans
    assert done.attributes == {"url.path": "/a", "http.response.status_code": 500}
    assert [(event.name, event.attributes) for event in done.events] == [("write", {"http.wrote_bytes": 1})]
    assert (done.status.status_code, done.status.description) == (StatusCode.ERROR, "why")


def test_a_trace_that_is_not_sampled_is_handed_on_as_such() -> None:
    recorder = Recorder(off=True)
    span = recorder.begin(("traceparent", f"00-{TRACE}-{PARENT}-00"))
    told = dict(span.headers())
    span.end()
    assert not span.recording
    assert told[b"traceparent"].startswith(f"00-{TRACE}-".encode())
    assert told[b"traceparent"].endswith(b"-00")
    assert told[b"uber-trace-id"].endswith(b":0:0")
    assert recorder.spans == ()
