"""The trace of a request: its span, inner spans, the worker's headers, the log line."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.gateway import chain
from pyroadrunner.plugins.http.middleware.access_log import AccessLog
from pyroadrunner.plugins.http.middleware.config import HeadersConfig
from pyroadrunner.plugins.http.middleware.registry import Setup, layers
from pyroadrunner.workers.errors import QueueFull
from support.asgi import Exchange, ScriptedPool, head, http_scope, reply, worker_app
from support.log import logged
from support.tracing import KeptTracing


def around(app: ASGIApp, tracing: KeptTracing, *middleware: str) -> ASGIApp:
    config = HttpConfig(middleware=list(middleware), headers=HeadersConfig(response={"X-A": "b"}))
    return chain(app, layers(Setup(config=config, effective={}, tracing=[tracing])))


def ask(
    pool: ScriptedPool, tracing: KeptTracing, *middleware: str, scope: Scope | None = None, body: bytes = b""
) -> Exchange:
    app = around(AccessLog(worker_app(pool), long=False), tracing, *(middleware or ("otel",)))
    return Exchange(scope or http_scope(target="/a%20b?x=1"), [body]).run(app)


def test_the_span_has_the_name_of_the_target_and_attributes_of_request_and_response() -> None:
    tracing = KeptTracing()
    scope = http_scope("POST", "/a%20b?x=1", {"content-length": "3", "content-type": "text/plain"})
    ask(ScriptedPool(reply(head(201), b"hello")), tracing, scope=scope, body=b"abc")
    span = tracing.spans[0]
    assert span.name == "/a%20b?x=1"
    assert (
        span.attributes.items()
        >= {
            "http.request.method": "POST",
            "url.path": "/a%20b",
            "http.request.body.size": 3,
            "http.response.body.size": 5,
            "http.response.status_code": 201,
        }.items()
    )
    assert span.events == [("read", {"http.read_bytes": 3}), ("write", {"http.wrote_bytes": 5})]
    assert span.failed is None
    assert tracing.asked == [scope["headers"]]


def test_empty_sizes_are_left_out() -> None:
    tracing = KeptTracing()
    ask(ScriptedPool(reply(head(204))), tracing)
    assert not [name for name in tracing.spans[0].attributes if name.endswith(".size")]
    assert tracing.spans[0].events == []


def test_each_inner_layer_has_a_span_and_outer_layers_have_none() -> None:
    tracing = KeptTracing()
    ask(ScriptedPool(), tracing, "gzip", "headers", "otel", "request_id")
    assert [(span.name, span.parent and span.parent.name) for span in tracing.spans] == [
        ("/a%20b?x=1", None),
        ("headers", "/a%20b?x=1"),
        ("gzip", "headers"),
        ("http", "gzip"),
    ]
    assert [span.ended for span in tracing.spans] == [1, 1, 1, 1]


def test_the_worker_continues_the_innermost_span_and_not_the_clients() -> None:
    tracing, pool = KeptTracing(), ScriptedPool()
    ask(pool, tracing, "headers", "otel", scope=http_scope(headers={"traceparent": "client's", "tracestate": "x"}))
    assert pool.context["headers"]["Traceparent"] == [str(tracing.spans[-1].number)]
    assert "Tracestate" not in pool.context["headers"]


def test_with_tracing_off_the_clients_headers_are_kept() -> None:
    tracing, pool = KeptTracing(recording=False, trace_id=""), ScriptedPool()
    with logged("http") as log:
        ask(pool, tracing, scope=http_scope(headers={"traceparent": "client's"}))
    assert pool.context["headers"]["Traceparent"] == ["client's"]
    assert "trace_id" not in log.of("http log")[0]


def test_the_log_line_has_the_traces_id() -> None:
    with logged("http") as log:
        ask(ScriptedPool(), KeptTracing(trace_id="0af7"))
    assert list(log.of("http log")[0].items())[-1] == ("trace_id", "0af7")


@pytest.mark.parametrize(("status", "failed"), [(499, None), (500, ""), (599, "")])
def test_a_status_of_500_or_more_is_an_error(status: int, failed: str | None) -> None:
    tracing = KeptTracing()
    ask(ScriptedPool(reply(head(status))), tracing)
    assert tracing.spans[0].failed == failed
    assert tracing.spans[0].attributes["http.response.status_code"] == status


def test_a_refusal_is_traced_too() -> None:
    tracing = KeptTracing()
    ask(ScriptedPool(QueueFull("http", 1)), tracing)
    assert tracing.spans[0].attributes["http.response.status_code"] == 503
    assert [span.ended for span in tracing.spans] == [1, 1]


def test_an_error_ends_all_spans_and_becomes_their_status() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("boom")

    tracing = KeptTracing()
    with pytest.raises(ValueError, match="boom"):
        Exchange(http_scope()).run(around(app, tracing, "headers", "otel"))
    assert tracing.spans[0].failed == "ValueError: boom"
    assert [span.ended for span in tracing.spans] == [1, 1, 1]


def test_a_trace_that_is_not_recorded_is_not_counted() -> None:
    tracing, pool = KeptTracing(recording=False), ScriptedPool()
    exchange = ask(pool, tracing)
    assert exchange.status == 200
    assert pool.context["headers"]["Traceparent"] == ["2"]
    assert tracing.spans[0].events == []
    assert [span.ended for span in tracing.spans] == [1, 1]


def test_listed_twice_a_request_has_one_trace() -> None:
    tracing = KeptTracing()
    ask(ScriptedPool(), tracing, "otel", "headers", "otel")
    assert [span.name for span in tracing.spans] == ["/a%20b?x=1", "headers", "http"]


def test_without_the_section_there_is_a_warning_and_no_layer() -> None:
    with logged("http") as log:
        assert layers(Setup(config=HttpConfig(middleware=["otel"]), effective={})) == []
    assert log.lines == [
        ("WARNING", "requested middleware has no options and does nothing", {"requested": "otel"}),
    ]


def test_the_scope_of_outer_layers_is_unchanged() -> None:
    scope: dict[str, Any] = dict(http_scope(headers={"traceparent": "x"}))
    before = {**scope, "headers": [*scope["headers"]]}
    ask(ScriptedPool(), KeptTracing(), scope=scope)
    assert scope == before
