"""Requests of the server itself reach the worker as those of clients do."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.contracts import AppRequest, AppResponse
from pyroadrunner.plugins.http.internal_request import respond
from pyroadrunner.workers.errors import NoFreeWorker, WorkerFailed
from support.asgi import ScriptedPool, head, reply, streamed, worker_app


def ask(pool: ScriptedPool, **request: object) -> AppResponse:
    return asyncio.run(respond(worker_app(pool), AppRequest(**{"path": "/", **request})))  # type: ignore[arg-type]


def test_a_request_has_its_path_query_headers_and_attributes() -> None:
    pool = ScriptedPool(reply(head(201, x_a="b"), b"hello"))
    response = ask(pool, path="/a%20b?c=d", headers=[(b"x-token", b"t")], attributes={"schedule_entry": "report"})
    assert (response.status, response.body, response.complete) == (201, b"hello", True)
    assert (b"x-a", b"b") in response.headers
    assert (pool.context["method"], pool.context["uri"]) == ("GET", "http://localhost/a%20b?c=d")
    assert (pool.context["rawQuery"], pool.context["remoteAddr"]) == ("c=d", "127.0.0.1")
    assert pool.context["headers"] == {"X-Token": ["t"]}
    assert pool.context["attributes"] == {"schedule_entry": "report"}


@pytest.mark.parametrize(
    ("headers", "body", "parsed"),
    [
        ([(b"content-type", b"application/json")], b'{"a": 1}', False),
        ([(b"content-type", b"application/x-www-form-urlencoded")], b'{"a":"1"}', True),
    ],
)
def test_a_body_is_passed_on_and_a_form_is_parsed(
    headers: list[tuple[bytes, bytes]], body: bytes, parsed: bool
) -> None:
    pool = ScriptedPool()
    ask(pool, method="POST", headers=headers, body=b"a=1" if parsed else body)
    assert (bytes(pool.asked[0].body), pool.context["parsed"]) == (body, parsed)


def test_a_host_of_its_own_is_kept() -> None:
    pool = ScriptedPool()
    ask(pool, headers=[(b"host", b"shop.example")])
    assert pool.context["uri"] == "http://shop.example/"


def test_errors_are_responses() -> None:
    assert ask(ScriptedPool(NoFreeWorker("http", 1.0))).status == 503


def test_of_a_long_body_the_beginning_is_kept() -> None:
    response = ask(ScriptedPool(reply(head(200), b"x" * 100_000)))
    assert (len(response.body), response.complete) == (65536, True)


def test_a_stream_is_read_to_its_end() -> None:
    response = ask(ScriptedPool(streamed((head(200), b"one"), (b"", b"two"))))
    assert (response.status, response.body, response.complete) == (200, b"onetwo", True)


def test_a_stream_that_breaks_off_is_not_complete() -> None:
    response = ask(ScriptedPool(streamed((head(200), b"one"), WorkerFailed("it died", 7))))
    assert (response.status, response.body, response.complete) == (200, b"one", False)
