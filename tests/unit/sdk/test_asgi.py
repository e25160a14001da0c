"""ASGI applications: the scope of a request, and how their messages become frames."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from pyroadrunner.goridge.frame import STOP_WORKER, Flag
from pyroadrunner.sdk import asgi
from pyroadrunner.sdk.http import HttpWorker
from pyroadrunner.sdk.request import Request
from support.contexts import context
from support.peer import Rig

Run = Callable[..., list[bytes]]


@pytest.fixture
def run() -> Iterator[Run]:
    """Serve these requests with an application; returns the payload of each frame."""
    rig = Rig()

    def run(application: Any, *requests: tuple[bytes, bytes]) -> list[bytes]:
        for head, body in requests:
            rig.server.request(head, body, flags=Flag.JSON)
        rig.server.send(STOP_WORKER)
        asgi.serve(application, HttpWorker(rig.worker))
        rig.relay.close()
        payloads = []
        while (frame := rig.server.receive()) is not None:
            payloads.append(bytes(frame.payload))
        return payloads

    yield run
    rig.server.close()


def only_http(handler: Callable[..., Awaitable[None]]) -> Any:
    """An application without lifespan."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        await handler(scope, receive, send)

    return application


async def start(send: Any, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def body(send: Any, data: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


HEAD = b'{"status":200,"headers":{}}'
GET = (context(), b"")


def test_a_whole_response(run: Run) -> None:
    @only_http
    async def application(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert message == {"type": "http.request", "body": b"abc", "more_body": False}
        await start(send, 201, (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"))
        await body(send, b"hello")

    assert run(application, (context(), b"abc")) == [b'{"status":201,"headers":{"set-cookie":["a=1","b=2"]}}hello']


def test_a_streamed_response(run: Run) -> None:
    @only_http
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await start(send)
        await body(send, b"a", more=True)
        await asyncio.sleep(0)
        await body(send, b"b", more=True)
        await body(send, b"")

    assert run(application, GET) == [HEAD + b"a", b"b", b""]


@pytest.mark.parametrize("after", [0, 1])
def test_a_failure_before_the_end_is_an_error_and_the_worker_goes_on(run: Run, after: int) -> None:
    seen: list[int] = []

    @only_http
    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(1)
        if after or len(seen) > 1:
            await start(send)
        if len(seen) == 1:
            raise ValueError("first")
        await body(send, b"hello")

    payloads = run(application, GET, GET)
    assert b"ValueError: first" in payloads[0]
    assert payloads[1] == HEAD + b"hello"


def test_an_application_that_returns_without_a_response(run: Run) -> None:
    @only_http
    async def application(scope: Any, receive: Any, send: Any) -> None:
        return

    assert b"returned without a response" in run(application, GET)[0]


def test_background_tasks_end_before_the_next_request(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    order: list[str] = []

    @only_http
    async def application(scope: Any, receive: Any, send: Any) -> None:
        order.append("request")
        await start(send)
        await body(send, b"x")
        await asyncio.sleep(0)
        order.append("background")
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        raise ValueError("in the background")

    assert run(application, GET, GET) == [HEAD + b"x"] * 2
    assert order == ["request", "background"] * 2
    assert "ValueError: in the background" in capfd.readouterr().err


def test_lifespan_runs_around_all_requests_and_its_state_is_in_the_scope(run: Run) -> None:
    events: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                events.append(message["type"])
                if message["type"] == "lifespan.startup":
                    scope["state"]["word"] = b"hello"
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        events.append("http")
        await start(send)
        await body(send, scope["state"]["word"])

    assert run(application, GET, GET) == [HEAD + b"hello"] * 2
    assert events == ["lifespan.startup", "http", "http", "lifespan.shutdown"]


def test_a_failed_startup_ends_the_worker(run: Run) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(RuntimeError, match="no database"):
        run(application, GET)


def test_the_scope() -> None:
    headers = {"X-A": ["1", "2"], "Cookie": ["a=1"]}
    head = context("/%C3%BC?q=1", headers=headers, uri="https://ex.com:8443/%C3%BC?q=1", protocol="HTTP/2.0")
    scope = asgi.scope_of(Request(head), {"a": 1})
    wanted = {
        "path": "/ü",
        "raw_path": b"/%C3%BC",
        "query_string": b"q=1",
        "scheme": "https",
        "http_version": "2",
        "server": ("ex.com", 8443),
        "client": ("192.0.2.1", 0),
        "headers": [(b"host", b"ex.com:8443"), (b"x-a", b"1"), (b"x-a", b"2"), (b"cookie", b"a=1")],
        "state": {"a": 1},
    }
    assert {key: scope[key] for key in wanted} == wanted
