"""Which origins may read responses, as a table, and how the middleware applies it."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.plugins.http.middleware.config import CorsConfig
from pyroadrunner.plugins.http.middleware.cors import Cors, Policy
from support.asgi import Exchange, ScriptedPool, head, http_scope, reply, worker_app
from support.log import logged

A = b"https://a.test"


def asked(config: CorsConfig, **request: Any) -> dict[bytes, bytes]:
    """The response headers of a preflight, without ``vary``."""
    headers = Policy(config).preflight(request.get("origin", A), request.get("method", b"GET"), request.get("wanted"))
    told = dict(headers)
    assert told.pop(b"vary") == b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    assert len(told) == len(headers) - 1
    return told


@pytest.mark.parametrize(
    ("config", "origin", "allowed"),
    [
        ({}, "http://any.thing", True),
        ({"allowed_origin": ["*"]}, "null", True),
        ({"allowed_origin": ["https://x", "*"]}, "http://y", True),
        ({"allowed_origin": ["https://A.test"]}, "HTTPS://a.TEST", True),
        ({"allowed_origin": ["https://a.test"]}, "https://a.test.evil", False),
        ({"allowed_origin": ["https://a.test"]}, "null", False),
        ({"allowed_origin": ["https://*.a.test"]}, "https://x.y.a.test", True),
        ({"allowed_origin": ["https://*.a.test"]}, "https://a.test", False),
        ({"allowed_origin": ["https://a*a.test"]}, "https://a.test", False),
        ({"allowed_origin_regex": "^https://[ab]\\.test$"}, "https://b.test", True),
        ({"allowed_origin_regex": "^https://[ab]\\.test$", "allowed_origin": ["*"]}, "https://c.test", False),
        ({"allowed_origin_regex": "b"}, "https://b.test", True),
        ({"allowed_origin_regex": "b"}, "b" * 600, False),
    ],
)
def test_origins(config: dict[str, Any], origin: str, allowed: bool) -> None:
    assert Policy(CorsConfig(**config)).allows_origin(origin.encode()) is allowed


def test_a_missing_origin_is_not_allowed() -> None:
    assert not Policy(CorsConfig()).allows_origin(None)
    assert not Policy(CorsConfig()).allows_origin(b"")


def test_an_allowed_preflight_gets_all_headers() -> None:
    config = CorsConfig(
        allowed_origin=["https://a.test"],
        allowed_methods=["GET", "PUT"],
        allowed_headers=["X-Token"],
        exposed_headers=["x-exp"],
        allow_credentials=True,
        max_age=600,
    )
    assert asked(config, method=b"PUT", wanted=b"x-token") == {
        b"access-control-allow-origin": A,
        b"access-control-allow-methods": b"PUT",
        b"access-control-allow-headers": b"x-token",
        b"access-control-allow-credentials": b"true",
        b"access-control-max-age": b"600",
    }


@pytest.mark.parametrize(
    ("config", "request_", "allowed"),
    [
        ({}, {"method": b"POST"}, True),
        ({}, {"method": b"OPTIONS"}, True),
        ({}, {"method": b"PUT"}, False),
        ({}, {"method": b"get"}, False),
        ({"allowed_methods": []}, {"method": b"HEAD"}, True),
        ({}, {"wanted": b"content-type"}, True),
        ({}, {"wanted": b"x-requested-with,  accept,origin, "}, True),
        ({}, {"wanted": b"Content-Type"}, False),
        ({}, {"wanted": b"authorization"}, False),
        ({"allowed_headers": ["x-b", "x-a"]}, {"wanted": b"x-b, x-a"}, True),
        ({"allowed_headers": ["x-b"]}, {"wanted": b"content-type"}, False),
        ({"allowed_headers": ["*"]}, {"wanted": b"any-thing"}, True),
        ({}, {"origin": None}, False),
    ],
)
def test_preflights(config: dict[str, Any], request_: dict[str, Any], allowed: bool) -> None:
    assert bool(asked(CorsConfig(**config), **request_)) is allowed


@pytest.mark.parametrize(("max_age", "told"), [(0, None), (5, b"5"), (-1, b"0")])
def test_the_max_age_of_a_preflight(max_age: int, told: bytes | None) -> None:
    assert asked(CorsConfig(max_age=max_age)).get(b"access-control-max-age") == told


def test_other_responses_get_the_headers_that_allow_reading() -> None:
    config = CorsConfig(allowed_origin=["https://a.test"], exposed_headers=["x-exp", "ETAG"], allow_credentials=True)
    assert Policy(config).actual(A, "GET") == [
        (b"vary", b"Origin"),
        (b"access-control-allow-origin", A),
        (b"access-control-expose-headers", b"X-Exp, Etag"),
        (b"access-control-allow-credentials", b"true"),
    ]
    assert Policy(config).actual(A, "DELETE") == [(b"vary", b"Origin")]
    assert Policy(config).actual(None, "GET") == [(b"vary", b"Origin")]


def ask(config: CorsConfig, pool: ScriptedPool, method: str = "GET", **headers: str) -> Exchange:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Exchange(http_scope(method, "/", named)).run(Cors(worker_app(pool), Policy(config)))


@pytest.mark.parametrize(("configured", "status"), [(200, 200), (204, 204), (0, 200)])
def test_a_preflight_never_reaches_a_worker(configured: int, status: int) -> None:
    pool = ScriptedPool()
    exchange = ask(
        CorsConfig(options_success_status=configured),
        pool,
        "OPTIONS",
        origin="https://b.test",
        access_control_request_method="PATCH",
    )
    assert (exchange.status, exchange.body, exchange.ended) == (status, b"", True)
    assert not any(name.startswith("access-control") for name, _ in exchange.headers)
    assert pool.asked == []


def test_options_without_a_preflight_goes_to_the_worker() -> None:
    pool = ScriptedPool()
    assert ask(CorsConfig(), pool, "OPTIONS", origin="https://b.test").body == b"ok"
    assert ("access-control-allow-origin", "*") in ask(CorsConfig(), pool, origin="https://b.test").headers
    assert len(pool.asked) == 2


def test_the_configs_permission_replaces_the_workers() -> None:
    pool = ScriptedPool(reply(head(access_control_allow_origin="https://other", vary="Cookie")))
    sent = ask(CorsConfig(allowed_origin=["https://a.test"]), pool, origin="https://a.test").headers
    assert [value for name, value in sent if name == "access-control-allow-origin"] == ["https://a.test"]
    assert [value for name, value in sent if name == "vary"] == ["Origin", "Cookie"]


def test_the_workers_permission_stays_if_the_config_gives_none() -> None:
    pool = ScriptedPool(reply(head(access_control_allow_origin="*")))
    sent = ask(CorsConfig(allowed_origin=["https://a.test"]), pool, origin="https://b.test").headers
    assert ("access-control-allow-origin", "*") in sent


def test_debug_logs_each_decision() -> None:
    with logged("http") as log:
        ask(CorsConfig(debug=True, allowed_origin=["https://a.test"]), ScriptedPool(), origin="https://b.test")
        ask(CorsConfig(debug=True), ScriptedPool(), "OPTIONS", origin="http://x", access_control_request_method="GET")
    refused, asked_ = log.of("cors")
    assert refused == {"method": "GET", "path": "/", "origin": "https://b.test", "allowed": False}
    assert asked_ == {"method": "OPTIONS", "path": "/", "origin": "http://x", "allowed": True, "asked": "GET"}
