"""The request lines that Laravel Octane and log shippers read."""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import Any

import pytest

from pyroadrunner.asgi import REQUEST_ID, TRACE_ID, Receive, Scope, Send
from pyroadrunner.plugins.http.middleware.access_log import AccessLog, remote_address
from support.asgi import Exchange, ScriptedPool, head, http_scope, reply, worker_app
from support.log import logged

POST = http_scope(
    "POST",
    "/a%20b?x=1",
    {"content-length": "3", "user-agent": "curl", "referer": "http://r/", "content-type": "text/plain"},
)


def line(long: bool, scope: Scope = POST) -> tuple[str, str, dict[str, Any]]:
    app = AccessLog(worker_app(ScriptedPool(reply(head(201), b"hello"))), long=long)
    with logged("http") as log:
        Exchange(scope, [b"abc"]).run(app)
    [found] = log.lines
    return found


def test_the_short_line_has_roadrunners_fields_in_order() -> None:
    level, message, fields = line(long=False)
    assert (level, message) == ("INFO", "http log")
    assert " ".join(fields) == "status method URI URL remote_address read_bytes write_bytes start elapsed"
    assert isinstance(fields["start"], datetime)
    assert type(fields["elapsed"]) is int
    del fields["start"], fields["elapsed"]
    assert fields == {
        "status": 201,
        "method": "POST",
        "URI": "/a%20b?x=1",
        "URL": "/a%20b?x=1",
        "remote_address": "192.0.2.1:4321",
        "read_bytes": 3,
        "write_bytes": 5,
    }


def test_the_long_line_has_roadrunners_fields_in_order() -> None:
    level, message, fields = line(long=True)
    assert (level, message) == ("INFO", "http access log")
    assert " ".join(fields) == (
        "read_bytes write_bytes status method URI URL remote_address query content_len host user_agent referer"
        " time_local request_time start elapsed"
    )
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d\d:\d\d:\d\d:\d\d [+-]\d{4}", fields["time_local"])
    assert isinstance(fields["request_time"], datetime)
    assert [fields[name] for name in ("query", "content_len", "host", "user_agent", "referer")] == [
        "x=1",
        3,
        "ex.com",
        "curl",
        "http://r/",
    ]


@pytest.mark.parametrize(
    ("headers", "length"), [({}, 0), ({"transfer-encoding": "chunked"}, -1), ({"content-length": "3"}, 3)]
)
def test_the_content_length_is_minus_one_when_unknown(headers: dict[str, str], length: int) -> None:
    assert line(long=True, scope=http_scope(headers=headers))[2]["content_len"] == length


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("authorization=secret&topic=a", "authorization=***&topic=a"),
        ("access_token=secret", "access_token=***"),
        ("topic=a&Authorization=secret", "topic=a&Authorization=***"),
        ("auth_key=k&auth_signature=secret&x=authorization", "auth_key=k&auth_signature=***&x=authorization"),
        ("preauthorization=plain", "preauthorization=plain"),
    ],
)
def test_secrets_of_a_query_are_masked(long: bool, query: str, shown: str) -> None:
    fields = line(long, http_scope("GET", f"/hub?{query}"))[2]
    assert fields["URI"] == fields["URL"] == f"/hub?{shown}"
    assert fields.get("query", shown) == shown


def test_the_first_of_repeated_headers_is_logged() -> None:
    scope = http_scope(headers=[("user-agent", "one"), ("user-agent", "two")])
    assert line(long=True, scope=scope)[2]["user_agent"] == "one"


def test_nothing_is_counted_while_the_level_is_off() -> None:
    sends: list[Send] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sends.append(send)

    with logged("http", logging.WARNING) as log:
        exchange = Exchange(http_scope())
        exchange.run(AccessLog(app, long=False))
    assert sends == [exchange.send]
    assert log.lines == []


def test_a_request_without_a_response_is_logged_too() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    with logged("http") as log, pytest.raises(RuntimeError):
        Exchange(http_scope()).run(AccessLog(app, long=False))
    assert log.of("http log")[0]["status"] == 0


@pytest.mark.parametrize("long", [False, True])
def test_ids_follow_roadrunners_fields(long: bool) -> None:
    fields = line(long, {**POST, TRACE_ID: "4bf9", REQUEST_ID: "abc"})[2]
    assert list(fields)[-3:] == ["elapsed", "request_id", "trace_id"]
    assert (fields["request_id"], fields["trace_id"]) == ("abc", "4bf9")


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
def test_a_slow_request_gives_a_warning_at_every_level(level: int) -> None:
    app = AccessLog(worker_app(ScriptedPool()), long=False, slow=1e-9)
    with logged("http", level) as log:
        Exchange({**POST, REQUEST_ID: "abc"}).run(app)
    name, message, fields = log.lines[-1]
    assert (name, message) == ("WARNING", "slow request")
    assert type(fields.pop("elapsed")) is int
    assert fields == {"method": "POST", "path": "/a%20b", "request_id": "abc"}
    assert len(log.lines) == (2 if level == logging.INFO else 1)


@pytest.mark.parametrize("slow", [0.0, 3600.0])
@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
def test_a_fast_request_gives_no_warning(level: int, slow: float) -> None:
    with logged("http", level) as log:
        Exchange(POST).run(AccessLog(worker_app(ScriptedPool()), long=False, slow=slow))
    assert "slow request" not in log.messages


def test_a_slow_request_that_fails_gives_a_warning_too() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    with logged("http", logging.WARNING) as log, pytest.raises(RuntimeError):
        Exchange(POST).run(AccessLog(app, long=False, slow=1e-9))
    assert log.messages == ["slow request"]


@pytest.mark.parametrize(
    ("client", "text"),
    [
        (("1.2.3.4", 5), "1.2.3.4:5"),
        (("::1", 5), "[::1]:5"),
        (("1.2.3.4", 0), "1.2.3.4"),
        (None, "127.0.0.1"),
    ],
)
def test_the_remote_address_has_a_port_if_the_peer_has_one(client: Any, text: str) -> None:
    assert remote_address({"client": client}) == text
