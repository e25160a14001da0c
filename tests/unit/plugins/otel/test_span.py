"""Spans: their trace, their children, the headers that propagate them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, StatusCode

from pyroadrunner.plugins.otel.span import NoSpan, RecordedSpan, Recorder

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
OTHER = "4bf92f3577b34da6a3ce929d0e0e4737"


class Kept:
    """A recorder and what it has recorded."""

    def __init__(self, *, off: bool = False) -> None:
        self._exporter = InMemorySpanExporter()
        self._recorder = Recorder(
            sampler=ParentBased(ALWAYS_OFF if off else ALWAYS_ON),
            ids=RandomIdGenerator(),
            processor=SimpleSpanProcessor(self._exporter),
            resource=Resource({"service.name": "test"}),
            scope=InstrumentationScope("test"),
        )

    def begin(self, *headers: tuple[str, str]) -> RecordedSpan:
        pairs = [(name.encode(), value.encode()) for name, value in headers]
        return self._recorder.begin("/a", pairs, {"url.path": "/a"})

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
def test_a_request_continues_the_trace_of_its_headers(
    headers: list[tuple[str, str]], expected: tuple[str, str]
) -> None:
    recorder = Kept()
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
def test_invalid_headers_begin_a_new_trace(name: str, value: str) -> None:
    recorder = Kept()
    span = recorder.begin((name, value))
    span.end()
    assert ids(recorder.spans[0]) == (span.trace_id, "")
    assert len(span.trace_id) == 32


def test_a_child_has_its_parent_and_its_headers_name_it() -> None:
    recorder = Kept()
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


def test_a_span_records_attributes_and_events() -> None:
    recorder = Kept()
    span = recorder.begin()
    assert span.recording
    span.set_attributes({"http.response.status_code": 500})
    span.event("write", {"http.wrote_bytes": 1})
    span.fail("why")
    span.end()
    [done] = recorder.spans
    assert done.attributes == {"url.path": "/a", "http.response.status_code": 500}
    assert [(event.name, event.attributes) for event in done.events] == [("write", {"http.wrote_bytes": 1})]
    assert (done.status.status_code, done.status.description) == (StatusCode.ERROR, "why")


def test_an_unsampled_trace_is_propagated_as_such() -> None:
    recorder = Kept(off=True)
    span = recorder.begin(("traceparent", f"00-{TRACE}-{PARENT}-00"))
    child = span.child("http")
    told = dict(child.headers())
    child.end()
    span.end()
    assert not span.recording
    assert told[b"traceparent"].startswith(f"00-{TRACE}-".encode())
    assert told[b"traceparent"].endswith(b"-00")
    assert told[b"uber-trace-id"].endswith(b":0:0")
    assert recorder.spans == ()


def test_the_number_of_events_is_limited() -> None:
    kept = Kept()
    span = kept.begin()
    for _ in range(500):
        span.event("write", {"http.wrote_bytes": 1})
    span.end()
    assert len(kept.spans[0].events) == 128


def test_a_random_trace_stays_one() -> None:
    span = Kept().begin(("traceparent", f"00-{TRACE}-{PARENT}-03"))
    assert dict(span.child("http").headers())[b"traceparent"].endswith(b"-03")


def test_without_tracing_headers_are_unchanged() -> None:
    span = NoSpan()
    span.child("http").end()
    assert (span.trace_id, span.recording, span.headers()) == ("", False, ())
