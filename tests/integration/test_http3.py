"""HTTP/3 with aioquic's client: with the real ``rr serve -e``, and with misbehaving applications."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.plugins.http.protocols.http3.listener import Http3Listener, udp_socket
from support.asgi import ScriptedPool, worker_app
from support.http3 import Http3Client, http3
from support.php import require_php
from support.pools import run
from support.server import Server, free_port, rr
from support.tls import Authority

WORKER = Path(__file__).parent.parent / "support" / "workers" / "context.php"
MB = 1 << 20


@asynccontextmanager
async def serving(folder: Path, app: ASGIApp, **options: Any) -> AsyncIterator[tuple[Http3Client, Http3Listener]]:
    authority = Authority(folder)
    identity = authority.server()
    listening = udp_socket(TcpAddress("127.0.0.1", 0))
    port = listening.getsockname()[1]
    listener = Http3Listener(app, listening, TlsFiles(str(identity.cert), str(identity.key)))
    await listener.start()
    try:
        async with http3(port, authority.root, **options) as client:
            yield client, listener
    finally:
        listener.refuse()
        await listener.finish(0.0)


def config(folder: Path, authority: Authority, port: int, **http: Any) -> dict[str, Any]:
    identity = authority.server()
    return {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {
            "pool": {"num_workers": 2},
            "http3": {"address": f"127.0.0.1:{port}", "cert": str(identity.cert), "key": str(identity.key)},
            **http,
        },
    }


def test_a_worker_sees_http3(tmp_path: Path) -> None:
    port = free_port()
    authority = Authority(tmp_path)

    async def main() -> None:
        async with http3(port, authority.root) as client:
            answer = await client.ask("POST", "/a%20b?x=1", [(b"cookie", b"a=1"), (b"cookie", b"b=2")], b"hello")
            told = json.loads(answer.body)
            assert answer.status == 200
            assert (told["uri"], told["protocol"]) == ("https://ex.com/a%20b?x=1", "HTTP/3.0")
            assert (told["method"], told["body"], told["remote"]) == ("POST", "hello", "127.0.0.1")
            assert told["headers"]["Cookie"] == ["a=1; b=2"]
            many = await asyncio.gather(*(client.ask("GET", f"/{number}") for number in range(100)))
            for number, one in enumerate(many):
                assert json.loads(one.body)["uri"] == f"https://ex.com/{number}"

    with Server(tmp_path, config(tmp_path, authority, port), command=("serve", "-e")):
        run(main())


def test_http3_is_off_without_the_flag(tmp_path: Path) -> None:
    with Server(tmp_path, config(tmp_path, Authority(tmp_path), free_port())) as server:
        assert "http.http3 is experimental and off; switch it on with rr serve -e" in server.stderr


def test_a_certificate_is_required(tmp_path: Path) -> None:
    Server(tmp_path, config(tmp_path, Authority(tmp_path), 0, http3={"address": "127.0.0.1:0"}))
    done = rr("serve", "-e", cwd=tmp_path)
    assert done.code == 1
    assert "http.http3 has no certificate: set its cert and key, or those of http.ssl" in done.stderr


def test_a_new_certificate_is_loaded(tmp_path: Path) -> None:
    port = free_port()
    authority = Authority(tmp_path)
    stranger = Authority(tmp_path, "other")

    async def main() -> None:
        while True:
            try:
                async with http3(port, stranger.root) as client:
                    assert (await client.ask()).status == 200
                    return
            except ConnectionError:  # the old certificate is still in use
                await asyncio.sleep(0.1)

    with Server(tmp_path, config(tmp_path, authority, port), command=("serve", "-e")):
        other = stranger.server("other-server")
        (tmp_path / "server.key").write_bytes(other.key.read_bytes())
        (tmp_path / "server.crt").write_bytes(other.cert.read_bytes())
        run(main())


def test_bodies_and_responses_of_any_size_pass(tmp_path: Path) -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Connection", b"close"), (b"X", b"y")]})
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"], "more_body": more})

    async def main() -> None:
        body = bytes(range(256)) * (2 * MB // 256)
        async with serving(tmp_path, echo) as (client, _):
            answer = await client.ask("POST", "/", body=body)
            assert answer.body == body
            assert [pair for pair in answer.headers if pair[0] != b":status"] == [(b"x", b"y")]
            assert (await client.ask("GET", "/")).body == b""

    run(main())


def test_a_client_that_does_not_read_pauses_the_application_and_may_disconnect(tmp_path: Path) -> None:
    sent = 0
    gone = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(MB // 4), "more_body": True})
                sent += 1
        except OSError:
            gone.set()

    async def main() -> None:
        async with serving(tmp_path, endless) as (client, _):
            answer = client.begin()
            async with asyncio.timeout(20):
                await answer.started.wait()
                client.stall()
                before = -1
                while before != sent:  # until no more is sent
                    before = sent
                    await asyncio.sleep(0.2)
                client.leave(answer)
                await gone.wait()

    run(main())


def test_an_early_response_ends_the_request(tmp_path: Path) -> None:
    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    async def main() -> None:
        async with serving(tmp_path, early) as (client, _):
            answer = client.begin("POST", "/", end=False)
            await client.end(answer)
            assert (answer.status, bytes(answer.body)) == (413, b"no")
            assert (await client.ask()).status == 413

    run(main())


def test_an_incomplete_response_resets_the_stream(tmp_path: Path) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["raw_path"] == b"/raises":
            raise ValueError("a bug")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    async def main() -> None:
        async with serving(tmp_path, broken) as (client, _):
            for target in ("/", "/raises"):
                answer = await client.ask("GET", target)
                assert answer.reset == 0x102  # H3_INTERNAL_ERROR

    run(main())


def test_unsupported_requests_are_refused(tmp_path: Path) -> None:
    pool = ScriptedPool()

    async def main() -> None:
        async with serving(tmp_path, worker_app(pool)) as (client, _):
            answer = client.begin("CONNECT", "/")
            await client.end(answer)
            assert answer.reset is not None or answer.gone
        assert pool.asked == []

    run(main())


def test_garbage_on_the_port_is_harmless(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, worker_app(ScriptedPool())) as (client, listener):
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=listener._socket.getsockname()
            )
            for data in (b"", b"\0", b"\xff" * 1200, b"GET / HTTP/1.1\r\n\r\n", b"\xc0\0\0\0\1" + bytes(1300)):
                transport.sendto(data)
            transport.close()
            assert bytes((await client.ask()).body) == b"ok"

    run(main())


def test_stopping_finishes_a_running_request_and_refuses_others(tmp_path: Path) -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        started.set()
        await go.wait()
        await worker_app(ScriptedPool())(scope, receive, send)

    started, go = asyncio.Event(), asyncio.Event()

    async def main() -> None:
        async with serving(tmp_path, slow) as (client, listener):
            running = client.begin()
            await started.wait()
            listener.refuse()
            turned_away = await client.ask()
            assert turned_away.reset == 0x10B  # H3_REQUEST_REJECTED: the client may retry on another connection
            go.set()
            await client.end(running)
            assert bytes(running.body) == b"ok"
            await listener.finish(20)

    run(main())


@pytest.mark.parametrize("address", ["nonsense", "unix:///tmp/x"])
def test_an_invalid_address_is_reported(tmp_path: Path, address: str) -> None:
    Server(tmp_path, config(tmp_path, Authority(tmp_path), 0, http3={"address": address}))
    done = rr("serve", "-e", cwd=tmp_path)
    assert done.code == 1
    assert "http.http3.address" in done.stderr
