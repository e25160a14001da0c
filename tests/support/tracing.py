"""A tracing plugin that records its calls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Any


class KeptSpan:
    """A span, open or ended."""

    def __init__(self, tracing: KeptTracing, name: str, parent: KeptSpan | None) -> None:
        self._tracing = tracing
        self.name = name
        self.parent = parent
        self.number = next(tracing.numbers)
        self.attributes: dict[str, Any] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.failed: str | None = None
        self.ended = 0
        tracing.spans.append(self)

    def __repr__(self) -> str:
        return f"KeptSpan({self.name!r}, ended={self.ended})"

    @property
    def trace_id(self) -> str:
        return self._tracing.trace_id

    @property
    def recording(self) -> bool:
        return self._tracing.recording

    def child(self, name: str) -> KeptSpan:
        return KeptSpan(self._tracing, name, self)

    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        return [(b"traceparent", b"%d" % self.number)] if self.trace_id else []

    def set_attributes(self, attributes: Mapping[str, str | int]) -> None:
        self.attributes |= attributes

    def event(self, name: str, attributes: Mapping[str, str | int]) -> None:
        self.events.append((name, dict(attributes)))

    def fail(self, why: str = "") -> None:
        self.failed = why

    def end(self) -> None:
        self.ended += 1


class KeptTracing:
    """Creates recorded spans.

    Attributes:
        spans: in the order in which they began.
        asked: the headers of each request.
    """

    def __init__(self, *, recording: bool = True, trace_id: str = "4bf9") -> None:
        self.recording = recording
        self.trace_id = trace_id
        self.numbers = count(1)
        self.spans: list[KeptSpan] = []
        self.asked: list[list[tuple[bytes, bytes]]] = []

    def begin_trace(
        self, name: str, headers: Iterable[tuple[bytes, bytes]], attributes: Mapping[str, str | int]
    ) -> KeptSpan:
        self.asked.append(list(headers))
        span = KeptSpan(self, name, None)
        span.set_attributes(attributes)
        return span

    @property
    def propagated_headers(self) -> Collection[bytes]:
        return {b"traceparent", b"tracestate"}
