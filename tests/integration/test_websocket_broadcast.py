"""The sections ``broadcast`` and ``websockets`` of RoadRunner until 2.12, with their RPC and client protocol."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from test_websocket import PATIENCE, on_the_loop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from pyroadrunner.proto.broadcast.v1.broadcast_pb2 import Message, Request, Response
from pyroadrunner.sdk.rpc import RpcClient
from support.packages import EXAMPLES
from support.redis import redis_server
from support.server import Server, free_port, rr

# An ordinary HTTP worker: it decides who may connect and join.
WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
use PyRoadRunner\\Http\\{Request, Response, Server};

Server::run(static function (Request $request): Response {
    if (isset($request->attributes['ws:joinServer'])) {
        $given = ['path' => getenv('RR_BROADCAST_PATH'), 'uri' => $request->uri, 'query' => $request->query,
            'cookies' => $request->cookies, 'upgrade' => $request->header('Upgrade'), 'method' => $request->method,
            'joinServer' => $request->attributes['ws:joinServer']];
        file_put_contents(__DIR__ . '/asked', json_encode($given, JSON_UNESCAPED_SLASHES));
        if (isset($request->query['die'])) {
            exit(1);
        }
        return isset($request->query['refuse'])
            ? new Response(401, 'who are you?', ['X-Why' => 'because'])
            : new Response(200);
    }
    if (isset($request->attributes['ws:joinTopics'])) {
        $topics = explode(',', $request->attributes['ws:joinTopics']);
        return new Response(in_array('secret', $topics, true) ? 403 : 200);
    }
    return new Response(200, 'http');
});
"""


def config(driver: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "server": {"command": "php worker.php", "relay": "pipes"},
        "http": {"middleware": ["websockets"], "pool": {"num_workers": 1}},
        "websockets": {"broker": "default", "path": "/ws", "allowed_origin": "https://*.example.com"},
        "broadcast": {"default": driver},
        **more,
    }


def serving(folder: Path, given: dict[str, Any]) -> Server:
    folder.mkdir(exist_ok=True)
    (folder / "worker.php").write_text(WORKER)
    return Server(folder, given)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("broadcast"), config({"driver": "memory", "config": {}})) as server:
        yield server
        assert server.stop() == 0


def client(server: Server, query: str = "", **options: Any) -> connect:
    return connect(f"{server.url.replace('http', 'ws')}/ws?{query}", open_timeout=PATIENCE, **options)


async def ask(connection: ClientConnection, command: str, *topics: str) -> Any:
    await connection.send(json.dumps({"command": command, "topics": topics}))
    return json.loads(await connection.recv())


def publish(server: Server, topics: list[str], *payloads: bytes, method: str = "Publish") -> None:
    with RpcClient(server.rpc) as rpc:
        request = Request(messages=[Message(topics=topics, payload=payload) for payload in payloads])
        assert rpc.call_message(f"broadcast.{method}", request, Response).ok


def test_clients_join_topics_and_get_what_is_published(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server, "a=1", additional_headers={"Cookie": "session=a%20b; x=y"}) as connection:
            asked = json.loads((server.folder / "asked").read_text())
            assert asked == {
                "path": "/ws",
                "uri": f"{server.url}/ws?a=1",
                "query": {"a": "1"},
                "cookies": {"session": "a b", "x": "y"},
                "upgrade": "websocket",
                "method": "GET",
                "joinServer": True,
            }
            assert await ask(connection, "join", "one", "two") == {"topic": "@join", "payload": ["one", "two"]}
            assert await ask(connection, "join", "three", "secret") == {
                "topic": "#join",
                "payload": ["three", "secret"],
            }
            await asyncio.to_thread(publish, server, ["one", "three", "two", ""], b'{"n":1}', b"caf\xe9")
            for topic in ("one", "two"):
                assert json.loads(await connection.recv()) == {"topic": topic, "payload": '{"n":1}'}
            for topic in ("one", "two"):
                assert json.loads(await connection.recv()) == {"topic": topic, "payload": "caf\ufffd"}
            for ignored in ("nonsense", "[]", '{"command":"headers"}', '{"command":"dance"}', "{}"):
                await connection.send(ignored)
            await connection.send(b'{"command":"leave","topics":["one"]}')
            assert json.loads(await connection.recv()) == {"topic": "@leave", "payload": ["one"]}
            assert await ask(connection, "join") == {"topic": "@join", "payload": []}
            await asyncio.to_thread(publish, server, ["one", "two"], b"x", method="PublishAsync")
            assert json.loads(await connection.recv()) == {"topic": "two", "payload": "x"}

    scene()


@pytest.mark.parametrize(("query", "status", "body"), [("refuse=1", 401, b"who are you?"), ("die=1", 400, None)])
def test_a_worker_decides_who_may_connect(server: Server, query: str, status: int, body: bytes | None) -> None:
    @on_the_loop
    async def scene() -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with client(server, query):
                pass
        response = refused.value.response
        assert response.status_code == status
        if body is not None:
            assert (response.body, response.headers["x-why"]) == (body, "because")

    scene()


def test_pages_of_other_origins_are_refused(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server, origin="https://A.example.com"):
            pass
        with pytest.raises(InvalidStatus, match="405"):
            async with client(server, origin="https://a.example.org"):
                pass

    scene()


def test_several_servers_share_topics_with_the_section_of_the_broker(tmp_path: Path) -> None:
    with redis_server(tmp_path) as redis, ExitStack() as stack:
        given = config({"driver": "redis"}, default={"addrs": [redis.address]})
        one, two = (stack.enter_context(serving(tmp_path / name, given)) for name in "ab")

        @on_the_loop
        async def scene() -> None:
            async with client(one) as first, client(two) as second:
                for connection in (first, second):
                    assert (await ask(connection, "join", "t"))["topic"] == "@join"
                await asyncio.to_thread(publish, two, ["t"], b"hello")
                for connection in (first, second):
                    assert json.loads(await connection.recv()) == {"topic": "t", "payload": "hello"}

        scene()


def test_the_rpc_reaches_the_clients_of_both_sections(tmp_path: Path) -> None:
    native = {"path": "/native", "events": [], "topics": [{"match": "t", "public": True}]}
    with serving(tmp_path, config({"driver": "memory"}, websocket=native)) as server:

        @on_the_loop
        async def scene() -> None:
            url = f"{server.url.replace('http', 'ws')}/native?topic=t"
            async with client(server) as old, connect(url, open_timeout=PATIENCE) as new:
                assert (await ask(old, "join", "t"))["topic"] == "@join"
                await asyncio.to_thread(publish, server, ["t"], b"hello", b"\xff")
                assert json.loads(await old.recv()) == {"topic": "t", "payload": "hello"}
                assert await new.recv() == "hello"
                assert await new.recv() == b"\xff"

        scene()


def test_the_example_works_as_the_manual_shows_it(tmp_path: Path) -> None:
    folder = EXAMPLES / "broadcast"
    page = (EXAMPLES.parent / "docs" / "broadcast.md").read_text("utf-8")
    assert [name for name in (".rr.yaml", "worker.php") if (folder / name).read_text("utf-8") not in page] == []
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    given = yaml.safe_load((folder / ".rr.yaml").read_text("utf-8"))
    given["rpc"]["listen"] = f"tcp://127.0.0.1:{free_port()}"
    given["http"]["address"] = f"127.0.0.1:{free_port()}"
    with Server(tmp_path, given) as server:
        assert b"<title>News" in urlopen(server.url).read()

        @on_the_loop
        async def scene() -> None:
            async with client(server) as connection:
                assert (await ask(connection, "join", "other"))["topic"] == "#join"
                assert (await ask(connection, "join", "news"))["topic"] == "@join"
                library = rr("php-library", cwd=tmp_path).stdout.strip()
                environment = {**os.environ, "RR_PHP_LIBRARY": library, "RR_RPC": server.rpc}
                command = ["php", "publish.php", "hello"]
                await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, env=environment, check=True)
                assert json.loads(await connection.recv()) == {"topic": "news", "payload": "hello"}

        scene()


def faulty(change: Callable[[dict[str, Any]], None], tmp_path: Path) -> str:
    given = config({"driver": "memory"})
    change(given)
    server = serving(tmp_path, given)
    finished = rr("serve", cwd=server.folder)
    assert finished.code == 1
    return finished.stderr


def test_faults_are_said(tmp_path: Path) -> None:
    def other_broker(given: dict[str, Any]) -> None:
        given["websockets"]["broker"] = "other"

    def no_broker(given: dict[str, Any]) -> None:
        del given["websockets"]["broker"]

    def same_path(given: dict[str, Any]) -> None:
        given["websocket"] = {"events": []}

    assert "the section broadcast has no 'other'; it has default" in faulty(other_broker, tmp_path)
    assert "websockets.broker" in faulty(no_broker, tmp_path)
    assert "both /ws" in faulty(same_path, tmp_path)


def test_an_old_config_passes_the_check(tmp_path: Path) -> None:
    server = serving(tmp_path, config({"driver": "memory", "config": {}}))
    finished = rr("config", "check", cwd=server.folder)
    assert (finished.code, finished.stderr) == (0, ""), finished
