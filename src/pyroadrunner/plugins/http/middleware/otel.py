"""Traces each request: a span for the request, and one for each inner layer. The worker continues the last of them.

The middleware ``otel``. The plugin ``otel`` creates and exports the spans, here through ``Tracing``. Names of spans and
attributes follow OpenTelemetry for HTTP servers (semantic conventions 1.23). (http.md, section 5.7)
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from pyroadrunner.asgi import TRACE_ID, ASGIApp, Message, Receive, Scope, Send
from pyroadrunner.contracts import Span, Tracing
from pyroadrunner.plugins.http.middleware.access_log import target
from pyroadrunner.plugins.http.middleware.otel_attributes import request_attributes
from pyroadrunner.plugins.http.middleware.registry import Around, Setup

_SPAN = "pyroadrunner.span"
_HTTP = "http"  # the plugin itself: worker and queue


def build(setup: Setup) -> Around | None:
    """Make the layer; ``None`` without the section ``otel``."""
    tracing = next(iter(setup.tracing), None)
    return None if tracing is None else lambda app: Otel(app, tracing)


def with_children(found: Sequence[tuple[str, Around]], tracing: Tracing) -> list[Around]:
    """The layers of a chain, with a span for each layer inside ``otel`` and one for the plugin.

    Args:
        found: names and layers, the innermost first; includes ``otel``.
    """
    last = max(place for place, (name, _) in enumerate(found) if name == "otel")
    layers: list[Around] = [lambda app: LayerSpan(app, _HTTP, frozenset(tracing.propagated_headers))]
    for place, (name, around) in enumerate(found):
        layers.append(_layer_span(name, around) if place < last and name != "otel" else around)
    return layers


def _layer_span(name: str, around: Around) -> Around:
    return lambda app: LayerSpan(around(app), name)


class Otel:
    """Traces requests.

    Args:
        app: the inner application; it finds the trace's id in the scope.
    """

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or _SPAN in scope:
            return self._app(scope, receive, send)
        return self._traced(scope, receive, send)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        span = self._tracing.begin_trace(target(scope), scope["headers"], request_attributes(scope))
        scope = {**scope, _SPAN: span}
        if trace_id := span.trace_id:
            scope[TRACE_ID] = trace_id
        try:
            if not span.recording:
                await self._app(scope, receive, send)
                return
            recorder = _SpanRecorder(span, receive, send)
            try:
                await self._app(scope, recorder.receive, recorder.send)
            except Exception as error:
                span.fail(f"{type(error).__name__}: {error}")
                raise
            finally:
                recorder.sum_up()
        finally:
            span.end()


class LayerSpan:
    """A span for one layer, if the request is traced.

    Args:
        app: the layer.
        name: of the span.
        propagated_headers: names of headers that carry a trace; if given, this span's own replace them in the request.
    """

    def __init__(self, app: ASGIApp, name: str, propagated_headers: frozenset[bytes] | None = None) -> None:
        self._app = app
        self._name = name
        self._propagated_headers = propagated_headers

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        parent: Span | None = scope.get(_SPAN)
        return self._app(scope, receive, send) if parent is None else self._traced(parent, scope, receive, send)

    async def _traced(self, parent: Span, scope: Scope, receive: Receive, send: Send) -> None:
        span = parent.child(self._name)
        scope = {**scope, _SPAN: span}
        if self._propagated_headers and (own := span.headers()):
            scope["headers"] = [*(pair for pair in scope["headers"] if pair[0] not in self._propagated_headers), *own]
        try:
            await self._app(scope, receive, send)
        finally:
            span.end()


class _SpanRecorder:
    """Records what passes in a span."""

    __slots__ = ("_read", "_receive", "_send", "_span", "_status", "_written")

    def __init__(self, span: Span, receive: Receive, send: Send) -> None:
        self._span = span
        self._receive = receive
        self._send = send
        self._status = 0
        self._read = 0
        self._written = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if size := len(message.get("body", b"")):
            self._read += size
            self._span.event("read", {"http.read_bytes": size})
        return message

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif size := len(message.get("body", b"")):
            self._written += size
            self._span.event("write", {"http.wrote_bytes": size})
        return self._send(message)

    def sum_up(self) -> None:
        """Set the attributes that are known only at the end."""
        known = {
            "http.request.body.size": self._read,
            "http.response.body.size": self._written,
            "http.response.status_code": self._status,
        }
        self._span.set_attributes({name: value for name, value in known.items() if value})
        if self._status >= 500:
            self._span.fail()
