"""The examples with Centrifugo, as they are shipped: with both of its gRPC sides, and with Centrifugo itself."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import aiohttp
import pytest
import yaml

from pyroadrunner.proto.centrifugo.api.v1 import api_pb2 as api
from pyroadrunner.proto.centrifugo.proxy.v1 import proxy_pb2 as pb
from pyroadrunner.sdk.centrifugo import AsyncCentrifugo, Centrifugo, CentrifugoError
from pyroadrunner.sdk.rpc import AsyncRpcClient, CallFailed, RpcClient
from support.centrifugo import ApiServer, CentrifugoCalls
from support.go_tools import optional_go_tool
from support.packages import EXAMPLES
from support.php import require_php
from support.programs import Program
from support.server import Server, environment, free_port

KEY = "local-secret"
LIBRARY = EXAMPLES.parent / "php"


@contextmanager
def example(name: str, folder: Path, api_port: int, proxy_port: int = 0) -> Iterator[Server]:
    """The example's server on free ports."""
    shutil.copytree(EXAMPLES / name, folder, dirs_exist_ok=True)
    config = yaml.safe_load((EXAMPLES / name / ".rr.yaml").read_text("utf-8"))
    assert config["centrifuge"]["api_key"] == KEY
    config["centrifuge"]["proxy_address"] = f"tcp://127.0.0.1:{proxy_port or free_port()}"
    config["centrifuge"]["grpc_api_address"] = f"tcp://127.0.0.1:{api_port}"
    config["rpc"]["listen"] = f"tcp://127.0.0.1:{free_port()}"
    if "http" in config:
        config["http"]["address"] = f"127.0.0.1:{free_port()}"
    program, _, worker = config["server"]["command"].partition(" ")
    config["server"]["command"] = f"{require_php() if program == 'php' else sys.executable} {worker}"
    with Server(folder, config) as server:
        yield server
        assert server.stop() == 0


def publish(server: Server, text: str) -> None:
    """Publish as the example's first lines say."""
    if "http" in server.config:
        with urlopen(Request(f"{server.url}/", f"text={text}".encode()), timeout=30) as answer:
            assert answer.read() == b"published\n"
    else:
        subprocess.run(
            [sys.executable, "publish.py", text],
            cwd=server.folder,
            env=environment({"RR_RPC": server.rpc}),
            check=True,
            timeout=60,
        )


@pytest.mark.parametrize("name", ["centrifugo", "centrifugo-python"])
def test_the_example_answers_and_publishes(tmp_path: Path, name: str) -> None:
    with ApiServer(key=KEY) as centrifugo, example(name, tmp_path, centrifugo.port) as server:
        with CentrifugoCalls(server.config["centrifuge"]["proxy_address"].removeprefix("tcp://")) as calls:
            assert calls.call("Connect", metadata=[("x-user", "ann")]).result == pb.ConnectResult(
                user="ann", channels=["news"]
            )
            assert calls.call("Connect").result.user == "guest"
            assert not calls.call("Subscribe", user="ann", channel="staff").HasField("error")
            assert calls.call("Subscribe", user="bob", channel="staff").error.code == 403
            assert json.loads(calls.call("Publish", user="bob", data=b'{"text":"hi"}').result.data) == {
                "from": "bob",
                "text": "hi",
            }
            assert json.loads(calls.rpc("time", user="bob").result.data) == {"method": "time", "you": "bob"}
        publish(server, "hello")
        assert centrifugo.published() == api.PublishRequest(channel="news", data=b'{"text":"hello"}')


# -- the libraries' side of the API ------------------------------------------------------------------------------------

PHP = """<?php
require $argv[1];
use PyRoadRunner\\Centrifugo\\{Centrifugo, CentrifugoException};
use PyRoadRunner\\Rpc\\Rpc;
$c = new Centrifugo(new Rpc($argv[2]));
$said = [
    $c->publish('news', ['text' => "caf\\u{e9}"], ['skip_history' => true, 'tags' => ['data' => 'YQ==']]),
    $c->broadcast(['a', 'b'], 'plain'),
    $c->presence('news'),
    $c->presenceStats('news'),
    $c->history('news', ['limit' => 5, 'since' => ['offset' => 3, 'epoch' => 'e']]),
    $c->channels('n*'),
    $c->nodes(),
];
$c->subscribe('u', 'news', ['expire_at' => new DateTimeImmutable('@5'), 'data' => ['a' => 1]]);
$c->unsubscribe('u', 'news', ['client' => 'c1']);
$c->disconnect('u', ['disconnect' => ['code' => 4001, 'reason' => 'bye']]);
$c->refresh('u', ['expired' => true]);
$c->removeHistory('news');
try {
    $c->call('RPC', ['method' => 'm', 'params' => [1]]);
} catch (CentrifugoException $e) {
    $said[] = [$e->getCode(), $e->getMessage()];
}
echo json_encode($said);
"""
SAID = [
    {"offset": 42, "epoch": "e"},
    [{"result": {"offset": 1}}, {"error": {"code": 102, "message": "unknown channel"}}],
    {"c1": {"user": "u", "client": "c1", "conn_info": "{}"}},
    {"num_clients": 0, "num_users": 2},
    {"publications": [{"data": '"x"', "offset": 4, "tags": {"data": "YQ=="}}], "offset": 4, "epoch": "e"},
    {"news": {"num_clients": 3}},
    [{"uid": "n1", "metrics": {"items": {"a": 1.5}}}],
    [108, "not available"],
]
SENT = [
    api.PublishRequest(channel="news", data='{"text":"café"}'.encode(), skip_history=True, tags={"data": "YQ=="}),
    api.BroadcastRequest(channels=["a", "b"], data=b"plain"),
    api.ChannelRequest(channel="news"),
    api.ChannelRequest(channel="news"),
    api.HistoryRequest(channel="news", limit=5, since=api.Position(offset=3, epoch="e")),
    api.ChannelsRequest(pattern="n*"),
    api.Empty(),
    api.SubscribeRequest(user="u", channel="news", expire_at=5, data=b'{"a":1}'),
    api.UnsubscribeRequest(user="u", channel="news", client="c1"),
    api.DisconnectRequest(user="u", disconnect=api.Disconnect(code=4001, reason="bye")),
    api.RefreshRequest(user="u", expired=True),
    api.ChannelRequest(channel="news"),
    api.RPCRequest(method="m", params=b"[1]"),
]


@pytest.fixture(scope="module")
def centrifugo() -> Iterator[ApiServer]:
    with ApiServer(key=KEY) as server:
        position = api.PublishResult(offset=42, epoch="e")
        server.answers = {
            "Publish": api.PublishResponse(result=position).SerializeToString(),
            "Broadcast": api.BroadcastResponse(
                result=api.BroadcastResult(
                    responses=[
                        api.PublishResponse(result=api.PublishResult(offset=1)),
                        api.PublishResponse(error=api.Error(code=102, message="unknown channel")),
                    ]
                )
            ).SerializeToString(),
            "Presence": api.PresenceResponse(
                result=api.PresenceResult(presence={"c1": api.ClientInfo(user="u", client="c1", conn_info=b"{}")})
            ).SerializeToString(),
            "PresenceStats": api.PresenceStatsResponse(result=api.PresenceStatsResult(num_users=2)).SerializeToString(),
            "History": api.HistoryResponse(
                result=api.HistoryResult(
                    publications=[api.Publication(data=b'"x"', offset=4, tags={"data": "YQ=="})], offset=4, epoch="e"
                )
            ).SerializeToString(),
            "Channels": api.ChannelsResponse(
                result=api.ChannelsResult(channels={"news": api.ChannelInfo(num_clients=3)})
            ).SerializeToString(),
            "Info": api.InfoResponse(
                result=api.InfoResult(nodes=[api.Node(uid="n1", metrics=api.Metrics(items={"a": 1.5}))])
            ).SerializeToString(),
            "RPC": api.RPCResponse(error=api.Error(code=108, message="not available")).SerializeToString(),
        }
        yield server


@pytest.fixture(scope="module")
def rpc(tmp_path_factory: pytest.TempPathFactory, centrifugo: ApiServer) -> Iterator[str]:
    with example("centrifugo-python", tmp_path_factory.mktemp("api"), centrifugo.port) as server:
        yield server.rpc


def sent(centrifugo: ApiServer) -> list[Any]:
    return [type(one).FromString(centrifugo.last()[2]) for one in SENT]


def test_the_php_library_calls_the_api(tmp_path: Path, rpc: str, centrifugo: ApiServer) -> None:
    (tmp_path / "api.php").write_text(PHP, "utf-8")
    done = subprocess.run(
        [require_php(), "api.php", str(LIBRARY / "autoload.php"), rpc], cwd=tmp_path, capture_output=True, timeout=60
    )
    assert done.stderr == b""
    assert json.loads(done.stdout) == SAID
    assert sent(centrifugo) == SENT


def test_the_python_library_calls_the_api(rpc: str, centrifugo: ApiServer) -> None:
    def plain(value: Any) -> Any:
        return json.loads(json.dumps(value, default=bytes.decode))

    with Centrifugo(RpcClient(rpc)) as c:
        said = [
            c.publish("news", {"text": "café"}, skip_history=True, tags={"data": "YQ=="}),
            c.broadcast(["a", "b"], b"plain"),
            c.presence("news"),
            c.presence_stats("news"),
            c.history("news", limit=5, since={"offset": 3, "epoch": "e"}),
            c.channels("n*"),
            c.nodes(),
        ]
        c.subscribe("u", "news", expire_at=5, data={"a": 1}, info=None)
        c.unsubscribe("u", "news", client="c1")
        c.disconnect("u", disconnect={"code": 4001, "reason": "bye"})
        c.refresh("u", expired=True)
        c.remove_history("news")
        with pytest.raises(CentrifugoError, match="not available") as failed:
            c.call("RPC", method="m", params=[1])
        said.append([failed.value.code, failed.value.message])
    assert plain(said) == SAID
    assert sent(centrifugo) == SENT


def test_the_asyncio_library_calls_the_api(rpc: str, centrifugo: ApiServer) -> None:
    async def main() -> list[Any]:
        async with AsyncCentrifugo(AsyncRpcClient(rpc)) as c:
            said = [
                await c.publish("news", {"text": "café"}, skip_history=True, tags={"data": "YQ=="}),
                await c.broadcast(["a", "b"], b"plain"),
                await c.presence("news"),
                await c.presence_stats("news"),
                await c.history("news", limit=5, since={"offset": 3, "epoch": "e"}),
                await c.channels("n*"),
                await c.nodes(),
            ]
            await c.subscribe("u", "news", expire_at=5, data={"a": 1})
            await c.unsubscribe("u", "news", client="c1")
            await c.disconnect("u", disconnect={"code": 4001, "reason": "bye"})
            await c.refresh("u", expired=True)
            await c.remove_history("news")
            with pytest.raises(CentrifugoError) as failed:
                await c.call("RPC", method="m", params=[1])
            return [*said, [failed.value.code, failed.value.message]]

    said = asyncio.run(main())
    assert json.loads(json.dumps(said, default=bytes.decode)) == SAID
    assert sent(centrifugo) == SENT


# -- Centrifugo itself -------------------------------------------------------------------------------------------------


@contextmanager
def real_centrifugo(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Centrifugo with the config of the example on free ports; yields its URL, and the ports of API and proxy."""
    program = optional_go_tool("centrifugo", "RR_TEST_CENTRIFUGO")
    http_port, api_port, proxy_port = free_port(), free_port(), free_port()
    text = (EXAMPLES / "centrifugo" / "centrifugo.json").read_text("utf-8")
    for shipped, used in (("8000", http_port), ("10000", api_port), ("30000", proxy_port)):
        text = text.replace(shipped, str(used))
    (folder / "config.json").write_text(text, "utf-8")
    running = Program([program, "-c", str(folder / "config.json")], folder / "centrifugo.log")
    running.start()
    try:
        yield f"http://127.0.0.1:{http_port}", api_port, proxy_port
    finally:
        running.kill()


@pytest.mark.parametrize("name", ["centrifugo", "centrifugo-python"])
def test_with_centrifugo_itself(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "centrifugo"
    folder.mkdir()

    async def client(url: str, server: Server) -> list[Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}/connection/websocket", headers={"X-User": "bob"}) as socket,
        ):
            got: list[Any] = []

            async def ask(number: int, **command: Any) -> Any:
                await socket.send_str(json.dumps({"id": number, **command}))
                while True:
                    for line in (await socket.receive(60)).data.splitlines():
                        got.append(json.loads(line))
                    for one in got:
                        if one.get("id") == number:
                            return one

            connected = await ask(1, connect={"data": {}})
            replies = [
                sorted(connected["connect"]["subs"]),
                await ask(2, subscribe={"channel": "chat"}),
                await ask(3, subscribe={"channel": "staff"}),
                await ask(4, publish={"channel": "chat", "data": {"text": "hi"}}),
                await ask(5, rpc={"method": "time", "data": {}}),
            ]
            await asyncio.to_thread(publish, server, "hello")
            while not any(one.get("push", {}).get("channel") == "news" for one in got):
                got += [json.loads(line) for line in (await socket.receive(60)).data.splitlines()]
            pushed = [one["push"]["pub"]["data"] for one in got if "push" in one]
            return [*replies, pushed]

    with (
        real_centrifugo(folder) as (url, api_port, proxy_port),
        example(name, tmp_path / "server", api_port, proxy_port) as server,
        Centrifugo(RpcClient(server.rpc)) as c,
    ):
        until = time.monotonic() + 60
        while True:
            try:
                assert len(c.nodes()) == 1
                break
            except CallFailed:  # Centrifugo starts
                assert time.monotonic() < until
                time.sleep(0.1)
        assert asyncio.run(client(url, server)) == [
            ["news"],
            {"id": 2, "subscribe": {}},
            {"id": 3, "error": {"code": 403, "message": "for the staff only"}},
            {"id": 4, "publish": {}},
            {"id": 5, "rpc": {"data": {"method": "time", "you": "bob"}}},
            [{"from": "bob", "text": "hi"}, {"text": "hello"}],
        ]
        assert [one["data"] for one in c.history("news", limit=5)["publications"]] == [b'{"text":"hello"}']
        with pytest.raises(CallFailed, match="code = Unimplemented"):
            c.call("GetUserStatus", users=["u"])
