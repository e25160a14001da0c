"""The same application under another ASGI server: only the listener may depend on h2corn."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.plugins.http.config import HttpConfig, UploadsConfig
from pyroadrunner.plugins.http.gateway import Gateway, chain
from pyroadrunner.plugins.http.middleware.access_log import AccessLog
from pyroadrunner.workers.errors import QueueFull, WorkerFailed
from support.asgi import ScriptedPool, head, reply, streamed, worker_app
from support.http import PATIENCE, Client, request, split
from support.log import logged
from support.pools import run


class Server(uvicorn.Server):
    """A server that signals when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def under_uvicorn(app: ASGIApp) -> AsyncIterator[int]:
    """Serve an application with uvicorn; yield the port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        app = Gateway(chain(AccessLog(app, long=False), ()))
        server = Server(uvicorn.Config(app, interface="asgi3", lifespan="off", log_config=None, ws="none"))
        task = asyncio.create_task(server.serve([listening]))
        try:
            async with asyncio.timeout(PATIENCE):
                await server.ready.wait()
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            async with asyncio.timeout(PATIENCE):
                await task


async def talk(port: int, raw: bytes) -> tuple[int, dict[str, list[str]], bytes]:
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    await client.send(raw)
    answer = split(await client.rest())
    client.close()
    return answer


def test_a_request_looks_the_same_to_the_worker_and_is_logged() -> None:
    async def main() -> None:
        pool = ScriptedPool(reply(head(201, x="1"), b"hello"))
        with logged("http") as log:
            async with under_uvicorn(worker_app(pool)) as port:
                status, headers, body = await talk(
                    port, request("PUT", "/a%2Fb|c?x=%20", b"abc", content_type="text/plain", cookie="a=1")
                )
        assert (status, headers["x"], headers["content-length"], body) == (201, ["1"], ["5"], b"hello")
        assert pool.context == {
            "remoteAddr": "127.0.0.1",
            "protocol": "HTTP/1.1",
            "method": "PUT",
            "uri": "http://ex.com/a/b%7Cc?x=%20",
            "headers": {
                "Content-Type": ["text/plain"],
                "Cookie": ["a=1"],
                "Content-Length": ["3"],
                "Connection": ["close"],
            },
            "cookies": {"a": "1"},
            "rawQuery": "x=%20",
            "parsed": False,
            "uploads": None,
            "attributes": {},
        }
        assert pool.asked[0].body == b"abc"
        assert log.of("http log")[0]["status"] == 201

    run(main())


def test_http_1_0_has_a_protocol_and_our_own_host() -> None:
    async def main() -> None:
        pool = ScriptedPool()
        async with under_uvicorn(worker_app(pool)) as port:
            assert (await talk(port, b"GET /x HTTP/1.0\r\n\r\n"))[0] == 200
            assert pool.context["protocol"] == "HTTP/1.0"
            assert pool.context["uri"] == f"http://127.0.0.1:{port}/x"

    run(main())


def test_uploads_streams_head_and_failures_work_alike(tmp_path: Path) -> None:
    body = b'--XbX\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nabc\r\n--XbX--\r\n'

    async def main() -> None:
        pool = ScriptedPool()
        config = HttpConfig(uploads=UploadsConfig(dir=str(tmp_path)), max_request_size=1)
        async with under_uvicorn(worker_app(pool, config)) as port:
            raw = request("POST", "/", body, content_type="multipart/form-data; boundary=XbX")
            assert (await talk(port, raw))[0] == 200
            assert json.loads(pool.asked[-1].context)["uploads"]["f"]["size"] == 3
            assert list(tmp_path.iterdir()) == []

            pool.answer = streamed((head(200), b"a"), (b"", b"b"), (b"", b""))
            assert (await talk(port, request()))[2] == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"

            pool.answer = reply(head(200), b"hello")
            _, headers, nothing = await talk(port, request("HEAD"))
            assert (headers["content-length"], nothing) == (["5"], b"")

            pool.answer = WorkerFailed("boom", 1)
            assert (await talk(port, request()))[0] == 500
            pool.answer = QueueFull("http", 1)
            status, headers, _ = await talk(port, request())
            assert (status, headers["retry-after"]) == (503, ["1"])
            assert (await talk(port, request("POST", "/", b"x" * 100, content_length=str(2 << 20))))[0] == 413

    run(main())


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_is_accepted_by_a_strict_server(status: int) -> None:
    async def main() -> None:
        async with under_uvicorn(worker_app(ScriptedPool(reply(head(status), b"stray")))) as port:
            answer = await talk(port, request())
            assert (answer[0], answer[2]) == (status, b"")

    run(main())


def test_a_worker_that_fails_in_mid_stream_closes_the_connection_here_too() -> None:
    async def main() -> None:
        stream = streamed((head(), b"abc"), WorkerFailed("boom", 1))
        async with under_uvicorn(worker_app(ScriptedPool(stream))) as port:
            assert (await talk(port, request(close=False)))[2] == b"3\r\nabc\r\n"

    run(main())
