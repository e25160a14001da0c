"""Receivers of traces: OTLP over HTTP and over gRPC, Zipkin's JSON. They keep what they receive."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

import grpc  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

PATIENCE = 60.0


class Received(NamedTuple):
    """One span."""

    name: str
    trace: str
    own: str
    parent: str
    error: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Delivered(NamedTuple):
    """One delivery: its path, its headers (lower case) and its spans."""

    path: str
    headers: dict[str, str]
    spans: list[Received]


class Collector:
    """The deliveries so far.

    Attributes:
        deliveries: in order.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.deliveries: list[Delivered] = []

    def take(self, delivery: Delivered) -> None:
        with self._changed:
            self.deliveries.append(delivery)
            self._changed.notify_all()

    def wait_for(self, *names: str) -> dict[str, Received]:
        """The spans with these names, by name, when all have arrived."""
        with self._changed:
            found: dict[str, Received] = {}

            def complete() -> bool:
                found.update({span.name: span for delivery in self.deliveries for span in delivery.spans})
                return found.keys() >= set(names)

            assert self._changed.wait_for(complete, PATIENCE), f"{names} wanted, {list(found)} received"
            return {name: found[name] for name in names}


class HttpCollector(Collector):
    """An HTTP server on a free port of 127.0.0.1.

    Args:
        read: converts a body to spans.
        port: ``0`` = a free one.
    """

    def __init__(self, read: Callable[[bytes], list[Received]] | None = None, port: int = 0) -> None:
        super().__init__()
        collector = self
        reader = read or _read_otlp

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                spans = reader(body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()
                headers = {name.lower(): value for name, value in self.headers.items()}
                collector.take(Delivered(self.path, headers, spans))

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> HttpCollector:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class GrpcCollector(Collector):
    """A gRPC server on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        super().__init__()
        collector = self

        class Servicer(TraceServiceServicer):
            def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:  # noqa: N802
                headers = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
                collector.take(Delivered("", headers, _spans(request)))
                return ExportTraceServiceResponse()

        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        add_TraceServiceServicer_to_server(Servicer(), self._server)  # type: ignore[no-untyped-call]
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> GrpcCollector:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(0).wait()


def read_zipkin(body: bytes) -> list[Received]:
    """Spans of Zipkin's JSON."""
    return [
        Received(
            span["name"],
            span["traceId"],
            span["id"],
            span.get("parentId", ""),
            "error" in span.get("tags", {}),
            span.get("tags", {}),
            {"service.name": span["localEndpoint"]["serviceName"]},
        )
        for span in json.loads(body)
    ]


def _read_otlp(body: bytes) -> list[Received]:
    return _spans(ExportTraceServiceRequest.FromString(body))


def _spans(request: ExportTraceServiceRequest) -> list[Received]:
    return [
        Received(
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.status.code == 2,
            _values(span.attributes),
            _values(group.resource.attributes),
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair) for pair in pairs}


def _value(pair: KeyValue) -> Any:
    kind = pair.value.WhichOneof("value")
    return getattr(pair.value, kind) if kind else None
