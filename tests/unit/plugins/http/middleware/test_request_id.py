"""The id of a request: accepted or generated, passed to worker, client and log."""

from __future__ import annotations

import re

import pytest

from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.middleware.access_log import AccessLog
from pyroadrunner.plugins.http.middleware.registry import Setup, layers
from pyroadrunner.plugins.http.middleware.request_id import RequestId
from pyroadrunner.workers.errors import QueueFull
from support.asgi import Exchange, ScriptedPool, head, http_scope, reply, worker_app
from support.log import logged

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def ask(*headers: tuple[str, str], pool: ScriptedPool | None = None) -> tuple[Exchange, ScriptedPool, dict[str, str]]:
    """The response, the request the worker got, the fields of the log line."""
    pool = pool or ScriptedPool()
    with logged("http") as log:
        exchange = Exchange(http_scope(headers=headers)).run(RequestId(AccessLog(worker_app(pool), long=False)))
    return exchange, pool, log.of("http log")[0]


def test_request_id_is_a_middleware_of_the_config() -> None:
    assert layers(Setup(config=HttpConfig(middleware=["request_id"]), effective={})) == [RequestId]


@pytest.mark.parametrize("given", ["a", "F-1.2_3~4:5/6+7=8@9", "x" * 128])
def test_a_valid_id_is_kept(given: str) -> None:
    exchange, pool, line = ask(("x-request-id", given))
    assert exchange.headers[-1] == ("x-request-id", given)
    assert pool.context["headers"]["X-Request-Id"] == [given]
    assert line["request_id"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", "a\tb", '"', "<script>", "é", "a\n"])
def test_other_requests_get_a_generated_id(given: str | None) -> None:
    exchange, pool, line = ask(*([("x-request-id", given)] if given is not None else []))
    own = line["request_id"]
    assert re.fullmatch("[0-9a-f]{32}", own)
    assert pool.context["headers"]["X-Request-Id"] == [own]
    assert [value for name, value in exchange.headers if name == "x-request-id"] == [own]


def test_two_requests_have_two_ids() -> None:
    assert ask()[2]["request_id"] != ask()[2]["request_id"]


def test_the_worker_sees_only_the_first_of_two_ids() -> None:
    _, pool, line = ask(("x-request-id", "one"), ("x-request-id", "two"))
    assert line["request_id"] == "one"
    assert pool.context["headers"]["X-Request-Id"] == ["one"]


def test_the_client_gets_the_id_even_if_the_worker_sends_another() -> None:
    exchange, _, _ = ask(("x-request-id", "mine"), pool=ScriptedPool(reply(head(x_request_id="worker's"))))
    assert [value for name, value in exchange.headers if name == "x-request-id"] == ["mine"]


def test_a_refusal_has_it_too() -> None:
    exchange, _, _ = ask(("x-request-id", "mine"), pool=ScriptedPool(QueueFull("http", 1)))
    assert exchange.status == 503
    assert ("x-request-id", "mine") in exchange.headers


@pytest.mark.parametrize("header", [PARENT, f"cc-{TRACE}-00f067aa0ba902b7-01-later"])
def test_the_clients_trace_id_is_in_the_log_line(header: str) -> None:
    assert ask(("traceparent", header))[2]["trace_id"] == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        PARENT.upper(),
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        PARENT + "0",
    ],
)
def test_a_malformed_trace_id_is_not_logged(header: str) -> None:
    assert "trace_id" not in ask(("traceparent", header))[2]


def test_the_scope_of_outer_layers_is_unchanged() -> None:
    scope = http_scope()
    before = {**scope, "headers": [*scope["headers"]]}
    Exchange(scope).run(RequestId(worker_app(ScriptedPool())))
    assert scope == before
