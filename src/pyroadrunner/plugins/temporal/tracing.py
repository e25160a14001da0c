"""Spans of activities and of the first tasks of workflows, with the names and the header of the Go SDK's interceptor.

The header of a workflow or an activity carries the trace of its caller; an activity gets that of its own span.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from temporalio.api.common.v1 import Payload

from pyroadrunner.contracts import Span, TemporalCall, Tracing
from pyroadrunner.plugins.temporal.envelope import decode_json, encode_json

HEADER = "_tracer-data"
_NAMES = {"activity": "RunActivity", "local activity": "RunActivity", "workflow task": "RunWorkflow"}


class Tracer:
    """Begins the spans.

    Args:
        plugins: a live view; empty without the section ``otel``.
    """

    def __init__(self, plugins: Sequence[Tracing] = ()) -> None:
        self._plugins = plugins

    def __bool__(self) -> bool:
        return bool(self._plugins)

    def begin(self, call: TemporalCall) -> Span | None:
        """The span of a call; ``None`` without tracing."""
        tracing = next(iter(self._plugins), None)
        if tracing is None:
            return None
        attributes: dict[str, str | int] = {"temporalWorkflowID": call.workflow_id, "temporalRunID": call.run_id}
        return tracing.begin_trace(f"{_NAMES[call.kind]}:{call.type}", carried(call.header), attributes)


def carried(header: Mapping[str, Payload]) -> list[tuple[bytes, bytes]]:
    """The trace in the header of a call."""
    payload = header.get(HEADER)
    if payload is None:
        return []
    try:
        values = decode_json(payload.data)
    except msgspec.MsgspecError:
        return []
    if not isinstance(values, dict):
        return []
    return [(str(name).lower().encode(), str(value).encode()) for name, value in values.items()]


def with_trace(header: Mapping[str, Payload], span: Span) -> dict[str, Payload]:
    """The header with the trace of a span."""
    own = {name.decode(): value.decode() for name, value in span.headers()}
    if not own:
        return dict(header)
    return {**header, HEADER: Payload(metadata={"encoding": b"json/plain"}, data=encode_json(own))}
