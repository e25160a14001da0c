"""A span for each event that goes to a worker, in the trace that the handshake names.

There are no semantic conventions for WebSocket, so those for messaging are used where they fit (version 1.27): the
conversation is the connection. The worker gets the headers of the span with the event, and continues the trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyroadrunner.contracts import Span, Tracing

Pairs = Sequence[tuple[bytes, bytes]]


class EventTracer:
    """Begins spans.

    Args:
        tracing: a live view of the plugins that record traces; empty without the section ``otel``.
        path: of the sockets.
    """

    def __init__(self, tracing: Sequence[Tracing] = (), path: str = "") -> None:
        self._plugins = tracing
        self._path = path
        self._tracing: Tracing | None = None

    def start(self) -> None:
        """Find the plugin that records traces; all plugins are constructed now."""
        self._tracing = next(iter(self._plugins), None)

    def begin(
        self, event: str, connection: str, remote_addr: str, trace: Pairs, *, code: int = 0, size: int = 0
    ) -> Span | None:
        """Begin the span of an event; ``None`` = traces are not recorded.

        Args:
            trace: the headers that name the trace.
            code: of a close.
            size: of a message, in bytes.
        """
        if self._tracing is None:
            return None
        attributes: dict[str, str | int] = {
            "messaging.system": "websocket",
            "messaging.operation.type": "process",
            "messaging.operation.name": event,
            "messaging.destination.name": self._path,
            "messaging.message.conversation_id": connection,
            "client.address": remote_addr,
        }
        if event == "message":
            attributes["messaging.message.body.size"] = size
        if event == "close":
            attributes["websocket.close.code"] = code
        return self._tracing.begin_trace(f"{event} {self._path}", trace, attributes)

    def carriers(self, headers: Iterable[tuple[bytes, bytes]]) -> Pairs:
        """Those headers of a handshake that name a trace."""
        if self._tracing is None:
            return ()
        names = self._tracing.propagated_headers
        return [pair for pair in headers if pair[0] in names]

    def replaced(self, headers: Pairs, span: Span) -> Pairs:
        """The headers of a handshake with those of its span instead of the client's."""
        own = span.headers()
        if not own or self._tracing is None:
            return headers
        names = self._tracing.propagated_headers
        return [*(pair for pair in headers if pair[0] not in names), *own]
