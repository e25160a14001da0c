"""HTTP/1.0 and other versions on one address: raw clients, nginx with its defaults, and malformed requests."""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pyroadrunner.plugins.http.protocols.http10.listener import Http10Listener

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.plugins.http.gateway import Gateway
from support.asgi import ScriptedPool, worker_app
from support.http import Client, split
from support.nginx import Nginx
from support.php import require_php
from support.pools import run
from support.server import Server

WORKER = Path(__file__).parent.parent / "support" / "workers" / "context.php"
ZEROS = Path(__file__).parent.parent / "support" / "workers" / "http.php"
MB = 1 << 20
GET = b"GET / HTTP/1.0\r\nHost: ex.com\r\n"


Connect = Callable[[], Awaitable[Client]]


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[tuple[Connect, Http10Listener]]:
    bound = BoundSockets(TcpAddress("127.0.0.1", 0))
    port = bound.port
    listener = Http10Listener(Gateway(app), bound, streams=128)
    await listener.start()

    async def connect() -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", port))

    try:
        yield connect, listener
    finally:
        listener.refuse()
        await listener.finish(0.0)


def talk(data: bytes, app: ASGIApp | None = None) -> bytes:
    async def main() -> bytes:
        async with listening(app or worker_app(ScriptedPool())) as (connect, _):
            client = await connect()
            await client.send(data)
            answer = await client.rest()
            client.close()
            return answer

    return run(main())


def test_a_request_is_served_and_the_connection_closed() -> None:
    answer = talk(GET + b"\r\n")
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    status, headers, body = split(answer)
    assert (status, body, headers["content-length"], headers["connection"]) == (200, b"ok", ["2"], ["close"])
    assert headers["date"]


def test_a_connection_is_kept_and_may_change_its_version() -> None:
    async def main() -> None:
        pool = ScriptedPool()
        async with listening(worker_app(pool)) as (connect, _):
            client = await connect()
            for _ in range(2):
                await client.send(GET + b"Connection: keep-alive\r\n\r\n")
                assert b"connection: keep-alive" in await client.until(b"\r\n\r\nok")
            await client.send(b"GET / HTTP/1.1\r\nHost: ex.com\r\n\r\n")
            assert (await client.until(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
            client.close()
        assert [json.loads(one.context)["protocol"] for one in pool.asked] == ["HTTP/1.0", "HTTP/1.0", "HTTP/1.1"]
        assert {json.loads(one.context)["remoteAddr"] for one in pool.asked} == {"127.0.0.1"}

    run(main())


def test_pipelined_requests_are_answered_in_order() -> None:
    keep = b"GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    answer = talk(keep + b"POST /2 HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc" + GET + b"\r\n")
    assert answer.count(b"HTTP/1.0 200 OK") == 3


def test_a_request_byte_by_byte_and_with_a_closed_sending_side() -> None:
    pool = ScriptedPool()

    async def main() -> bytes:
        async with listening(worker_app(pool)) as (connect, _):
            client = await connect()
            for byte in b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc":
                await client.send(bytes((byte,)))
            client.half_close()
            answer = await client.rest()
            client.close()
            return answer

    assert run(main()).endswith(b"ok")
    assert pool.asked[0].body == b"abc"


def test_a_stream_ends_with_the_connection() -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": bytes(MB // 10), "more_body": True})
        await send({"type": "http.response.body"})

    _, headers, body = split(talk(GET + b"Connection: keep-alive\r\n\r\n", stream))
    assert (len(body), headers["connection"]) == (100 * (MB // 10), ["close"])
    assert "transfer-encoding" not in headers


def test_a_head_request_has_no_body() -> None:
    assert talk(b"HEAD / HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.0\r\nX : a\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nX: " + bytes(2 * MB), 431),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400),  # requests in other versions: the engine's response
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", 400),
    ],
)
def test_a_malformed_request_is_refused_and_the_connection_closed(data: bytes, status: int) -> None:
    pool = ScriptedPool()
    assert split(talk(data, worker_app(pool)))[0] == status
    assert pool.asked == []


def test_a_response_before_the_end_of_the_body_reaches_the_client() -> None:
    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"no"})

    answer = talk(b"POST / HTTP/1.0\r\nContent-Length: 8388608\r\n\r\n" + bytes(8 * MB), early)
    assert answer.endswith(b"no")


def test_an_incomplete_response_closes_the_connection() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    assert talk(GET + b"\r\n", broken).endswith((b"half", b"<reset>"))


def test_a_client_that_disconnects_is_noticed() -> None:
    gone = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(MB), "more_body": True})
        except OSError:
            gone.set()

    async def main() -> None:
        async with listening(endless) as (connect, _):
            client = await connect()
            await client.send(GET + b"\r\n")
            await client.exactly(MB)
            client.abort()
            async with asyncio.timeout(20):
                await gone.wait()

    run(main())


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_stopping_finishes_a_running_request_and_closes_idle_connections(version: bytes) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        started.set()
        await go.wait()
        await worker_app(ScriptedPool())(scope, receive, send)

    async def main() -> None:
        async with listening(slow) as (connect, listener):
            busy, idle = await connect(), await connect()
            await idle.send(b"G")
            await busy.send(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(20):
                await started.wait()
            listener.refuse()
            assert await idle.rest() == b""
            go.set()
            assert (await busy.rest()).endswith(b"ok")
            await listener.finish(20)
            busy.close()
            idle.close()

    run(main())


def test_requests_that_do_not_end_in_time_are_cancelled() -> None:
    started = asyncio.Event()

    async def forever(scope: Scope, receive: Receive, send: Send) -> None:
        started.set()
        await asyncio.Event().wait()

    async def main() -> None:
        async with listening(forever) as (connect, listener):
            client = await connect()
            await client.send(GET + b"\r\n")
            await started.wait()
            listener.refuse()
            await listener.finish(0.01)
            assert await client.rest() in (b"", b"<reset>")
            client.close()

    run(main())


def test_large_bodies_pass_to_the_engine_and_back() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": bytes(body)})

    body = bytes(range(256)) * (4 * MB // 256)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert split(talk(head + body, echo))[2] == body


def serving(folder: Path, worker: Path = WORKER) -> Server:
    http = {"http10": True, "http2": {"h2c": True}, "pool": {"num_workers": 1}}
    return Server(folder, {"server": {"command": [require_php(), str(worker)]}, "http": http})


def test_nginx_with_its_default_settings(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        location = f"location / {{ proxy_pass {server.url}; proxy_http_version 1.0; }}"
        with Nginx(tmp_path, location) as nginx:
            connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=20)
            for number in range(50):
                connection.request("POST", f"/{number}?a", body=b"hello" * number)
                with connection.getresponse() as answer:
                    told = json.loads(answer.read())
                assert (told["protocol"], told["body"]) == ("HTTP/1.0", "hello" * number)
                assert told["uri"] == f"{server.url}/{number}?a"
            connection.close()


def test_every_version_works_on_one_address(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for flag, protocol in (
            ("--http1.0", "HTTP/1.0"),
            ("--http1.1", "HTTP/1.1"),
            ("--http2", "HTTP/2.0"),
            ("--http2-prior-knowledge", "HTTP/2.0"),
        ):
            told = json.loads(subprocess.check_output(["curl", "-sS", flag, f"{server.url}/x"]))
            assert (told["protocol"], told["remote"]) == (protocol, "127.0.0.1")


def test_without_the_key_http10_is_refused(tmp_path: Path) -> None:
    config = {"server": {"command": [require_php(), str(WORKER)]}, "http": {"pool": {"num_workers": 1}}}
    with Server(tmp_path, config) as server:
        command = ["curl", "-s", "--http1.0", "-o", "/dev/null", "-w", "%{http_code}", server.url]
        assert subprocess.check_output(command) == b"400"
