"""Spans, as ``contracts.Span`` has them, given to the SDK when they end.

A span of the SDK's own takes a lock and a copy for each thing it is told, which costs more than all else that is done
here for a request; what it is told here comes from one thread, in types that need no look. So a span is kept as it is,
and becomes one of the SDK's (``ReadableSpan``) at its end. Sampling, batches and exporters are the SDK's.
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

_MOST_EVENTS = 128  # of a span; the SDK's limit
_UNSET = Status(StatusCode.UNSET)
_RANDOM = 0x02  # W3C Trace Context, level 2: the trace's id is random


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """What spans are made with, and where they go."""

    sampler: Sampler
    ids: IdGenerator
    processor: SpanProcessor
    resource: Resource
    scope: InstrumentationScope

    def begin(
        self, name: str, headers: Iterable[tuple[bytes, bytes]], attributes: Mapping[str, str | int]
    ) -> RecordedSpan:
        """The span of a request, as a part of the trace that its headers name."""
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
        # Samplers give back the attributes they were given, and may add some.
        return RecordedSpan(self, name, own, parent, around, dict(sampled.attributes or attributes))


class RecordedSpan:
    """One span.

    Args:
        around: what it came with: the baggage.
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
        if not self.recording:  # nobody will see it; a peer goes on from this one just as well
            return self
        own = self._own
        # What the sampler says of a trace it says of all its parts.
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
    """That of a server where tracing is switched off (``OTEL_SDK_DISABLED``): headers pass as they came."""

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
