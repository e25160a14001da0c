"""Configured headers on requests and responses."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.middleware.config import CorsConfig, HeadersConfig
from pyroadrunner.plugins.http.middleware.headers import build
from pyroadrunner.plugins.http.middleware.registry import Setup
from pyroadrunner.workers.errors import QueueFull
from support.asgi import Exchange, ScriptedPool, head, http_scope, reply, worker_app
from support.http_section import read_http


def around(app: ASGIApp, config: HeadersConfig) -> ASGIApp:
    layer = build(Setup(config=HttpConfig(headers=config), effective={}))
    assert layer is not None
    return layer(app)


def test_request_headers_are_added_after_the_clients() -> None:
    pool = ScriptedPool()
    scope = http_scope(headers={"x-given": "by client"})
    app = around(worker_app(pool), HeadersConfig(request={"x-GIVEN": " by config ", "X-New": "é"}))
    exchange = Exchange(scope).run(app)
    assert pool.context["headers"]["X-Given"] == ["by client", "by config"]
    assert pool.context["headers"]["X-New"] == ["é"]
    assert exchange.status == 200
    assert len(scope["headers"]) == 2, "the scope of outer layers must stay unchanged"


def test_response_headers_are_added_before_the_workers() -> None:
    pool = ScriptedPool(reply(head(x_given="by worker", x_more="1")))
    exchange = Exchange(http_scope()).run(around(worker_app(pool), HeadersConfig(response={"X-Given": "by config"})))
    assert exchange.headers == [
        ("x-given", "by config"),
        ("x-given", "by worker"),
        ("x-more", "1"),
        ("content-length", "0"),
    ]


def test_responses_without_a_worker_get_the_headers_too() -> None:
    pool = ScriptedPool(QueueFull("http", 1))
    exchange = Exchange(http_scope()).run(around(worker_app(pool), HeadersConfig(response={"X-Out": "1"})))
    assert exchange.status == 503
    assert ("x-out", "1") in exchange.headers


@pytest.mark.parametrize(
    ("worker", "types"), [({"content_type": "text/css"}, ["text/css"]), ({}, ["text/html; charset=utf-8"])]
)
def test_a_content_type_is_added_only_to_responses_without_one(worker: dict[str, Any], types: list[str]) -> None:
    pool = ScriptedPool(reply(head(**worker), b"x"))
    config = HeadersConfig(response={"Content-Type": "text/html; charset=utf-8"})
    exchange = Exchange(http_scope()).run(around(worker_app(pool), config))
    assert [value for name, value in exchange.headers if name == "content-type"] == types


def test_a_preflight_has_the_configured_headers() -> None:
    pool = ScriptedPool()
    config = HeadersConfig(response={"X-Out": "1"}, cors=CorsConfig())
    scope = http_scope("OPTIONS", "/", {"origin": "http://a", "access-control-request-method": "GET"})
    exchange = Exchange(scope).run(around(worker_app(pool), config))
    assert dict(exchange.headers) == {
        "x-out": "1",
        "vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET",
        "content-length": "0",
    }
    assert pool.asked == []


def test_without_headers_there_is_no_layer() -> None:
    assert build(Setup(config=HttpConfig(), effective={})) is None
    assert build(Setup(config=HttpConfig(headers=HeadersConfig()), effective={})) is None


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ({"request": {"x y": "1"}}, "http.headers.request.x y: is not a valid header name"),
        ({"response": {"x-y": "a\r\nset-cookie: b"}}, "http.headers.response.x-y: has a line break"),
        ({"response": {"Content-Length": "5"}}, "http.headers.response.Content-Length: is set by the server"),
        (
            {"cors": {"allowed_origin_regex": "("}},
            "http.headers.cors.allowed_origin_regex: is not a valid Python regular expression",
        ),
        ({"cors": {"allowed_origin": "http://*.*"}}, 'http.headers.cors.allowed_origin: "http://*.*" has more than'),
    ],
)
def test_headers_that_can_not_be_sent_are_a_fault_of_the_config(headers: dict[str, Any], fault: str) -> None:
    _, faults, _ = read_http({"headers": headers})
    [found] = faults
    assert fault in found


def test_lists_may_be_strings_with_commas_and_spaces() -> None:
    config, _, warnings = read_http(
        {"headers": {"cors": {"allowed_origin": "http://a, http://b", "allowed_methods": "GET, POST"}}}
    )
    assert config is not None
    assert config.headers is not None
    assert config.headers.cors is not None
    assert config.headers.cors.allowed_origin == ["http://a", "http://b"]
    assert config.headers.cors.allowed_methods == ["GET", "POST"]
    assert warnings == []


def test_credentials_for_all_origins_give_a_warning() -> None:
    _, _, warnings = read_http({"headers": {"cors": {"allowed_origin": "*", "allow_credentials": True}}})
    [found] = warnings
    assert "browsers send no cookies" in found
