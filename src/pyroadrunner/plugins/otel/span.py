"""Spans (``contracts.Span``) that are passed to the SDK when they end.

The SDK's own spans take a lock and copy data for each attribute, which costs more than all other work here for a
request. Our data comes from one thread and needs no type checks. So a span is recorded as plain data and converted to
the SDK's ``ReadableSpan`` when it ends. Sampling, batches and exporters are the SDK's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import time_ns
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, get_current_span

from pyroadrunner.plugins.otel.propagation import context_of, headers_of

_MOST_EVENTS = 128  # events per span; the SDK's limit
_UNSET = Status(StatusCode.UNSET)
_RANDOM = 0x02  # W3C Trace Context, level 2: the trace id is random


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Creates spans and passes them to the SDK."""

    sampler: Sampler
    ids: IdGenerator
    processor: SpanProcessor
    resource: Resource
    scope: InstrumentationScope

    def begin(
        self, name: str, headers: Iterable[tuple[bytes, bytes]], attributes: Mapping[str, str | int]
    ) -> RecordedSpan:
        """Begin the span of a request, as part of the trace named in its headers."""
        around = context_of(headers)
        parent: SpanContext | None = get_current_span(around).get_span_context()
        if parent is None or not parent.is_valid:
            parent = None
            trace_id = self.ids.generate_trace_id()
        else:
            trace_id = parent.trace_id
        sampled = self.sampler.should_sample(around, trace_id, name, SpanKind.SERVER, attributes)
        flags = parent.trace_flags & _RANDOM if parent else 0
        if sampled.decision is Decision.RECORD_AND_SAMPLE:
            flags |= TraceFlags.SAMPLED
        own = SpanContext(trace_id, self.ids.generate_span_id(), False, TraceFlags(flags), sampled.trace_state)
        # Samplers return the given attributes and may add some.
        return RecordedSpan(self, name, own, parent, around, dict(sampled.attributes or attributes))


class RecordedSpan:
    """A recorded span.

    Args:
        around: the context of the request, with its baggage.
    """

    __slots__ = ("_around", "_attributes", "_began", "_events", "_name", "_own", "_parent", "_recorder", "_status")

    def __init__(
        self,
        recorder: Recorder,
        name: str,
        own: SpanContext,
        parent: SpanContext | None,
        around: Context,
        attributes: dict[str, Any],
    ) -> None:
        self._recorder = recorder
        self._name = name
        self._own = own
        self._parent = parent
        self._around = around
        self._attributes = attributes
        self._events: list[Event] = []
        self._status = _UNSET
        self._began = time_ns()

    @property
    def trace_id(self) -> str:
        return f"{self._own.trace_id:032x}"

    @property
    def recording(self) -> bool:
        return bool(self._own.trace_flags & TraceFlags.SAMPLED)

    def child(self, name: str) -> RecordedSpan:
        if not self.recording:  # it is not exported; peers can continue from this span
            return self
        own = self._own
        # The sampling decision applies to the whole trace.
        inner = SpanContext(
            own.trace_id, self._recorder.ids.generate_span_id(), False, own.trace_flags, own.trace_state
        )
        return RecordedSpan(self._recorder, name, inner, own, self._around, {})

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        return headers_of(self._own, self._around)

    def set_attributes(self, attributes: Mapping[str, str | int]) -> None:
        self._attributes.update(attributes)

    def event(self, name: str, attributes: Mapping[str, str | int]) -> None:
        if len(self._events) < _MOST_EVENTS:
            self._events.append(Event(name, attributes, time_ns()))

    def fail(self, why: str = "") -> None:
        self._status = Status(StatusCode.ERROR, why or None)

    def end(self) -> None:
        if not self.recording:
            return
        recorder = self._recorder
        recorder.processor.on_end(
            ReadableSpan(
                self._name,
                context=self._own,
                parent=self._parent,
                resource=recorder.resource,
                attributes=self._attributes,
                events=self._events,
                kind=SpanKind.SERVER,
                instrumentation_scope=recorder.scope,
                status=self._status,
                start_time=self._began,
                end_time=time_ns(),
            )
        )


class NoSpan:
    """A span if tracing is disabled (``OTEL_SDK_DISABLED``): headers are passed unchanged."""

    __slots__ = ()
    trace_id = ""
    recording = False

    def child(self, name: str) -> NoSpan:
        return self

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ()

    def set_attributes(self, attributes: Mapping[str, str | int]) -> None:
        pass

    def event(self, name: str, attributes: Mapping[str, str | int]) -> None:
        pass

    def fail(self, why: str = "") -> None:
        pass

    def end(self) -> None:
        pass
