"""WebSocket clients against a running server, with workers in PHP and Python."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame
from websockets.protocol import Protocol, Side

from pyroadrunner.sdk.rpc import CallFailed, RpcClient
from pyroadrunner.sdk.websocket import WebSockets
from support.http2 import DATA, Http2, field, frame
from support.packages import EXAMPLES
from support.php import require_php
from support.server import Server, free_port, rr
from support.tls import Authority

PATIENCE = 60.0
T = TypeVar("T")

WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
use PyRoadRunner\\WebSocket\\{Connection, Handler, WebSocketWorker};

if (getenv('RR_MODE') !== 'websocket') {
    PyRoadRunner\\Http\\Server::run(static fn ($request) => 'http');
    exit;
}
function sleepUntilWoken(): void {
    fwrite(STDERR, "asleep\\n");
    while (!file_exists('wake')) {
        usleep(5000);
        clearstatcache();
    }
}
WebSocketWorker::create()->run(new class extends Handler {
    public function onConnect(Connection $c): void {
        parse_str($c->query, $query);
        if (isset($query['refuse'])) {
            $c->reject((int) $query['refuse'], 'no', ['x-why' => 'because']);
            return;
        }
        if ($c->subprotocols) {
            $c->useSubprotocol($c->subprotocols[0]);
        }
        $c->identify($query['user'] ?? 'nobody', ['color' => 'blue']);
        if (isset($query['back'])) {
            $c->join($query['back'], true, (int) ($query['offset'] ?? 0), $query['epoch'] ?? '');
        }
        foreach ((array) ($query['join'] ?? []) as $topic) {
            $c->join($topic);
        }
        $c->state = 0;
    }
    public function onMessage(Connection $c, string $data, bool $binary): void {
        $c->state++;
        match (true) {
            $data === 'state' => $c->send((string) $c->state),
            $data === 'pid' => $c->send((string) getmypid()),
            $data === 'three' => [$c->send('1'), $c->send("\\x02", true), $c->send('3')],
            $data === 'throw' => throw new RuntimeException('on purpose'),
            $data === 'die' => exit(3),
            $data === 'garbage' => fwrite(STDOUT, 'garbage'),
            $data === 'bye' => $c->close(4001, 'as you wish'),
            $data === 'sleep' => [sleepUntilWoken(), $c->send('slept')],
            str_starts_with($data, 'to ') => $c->publish(explode(' ', $data)[1], substr($data, 3), false, true),
            default => $c->send($data, $binary),
        };
    }
    public function onClose(Connection $c, int $code, string $reason): void {
        fwrite(STDERR, "closed {$c->user} {$code} {$reason} {$c->state}\\n");
    }
});
"""


def on_the_loop(test: Callable[..., Coroutine[Any, Any, T]]) -> Callable[..., T]:
    """Run a scene in a loop of its own, bounded in time."""

    def run(*args: Any, **kwargs: Any) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(PATIENCE):
                return await test(*args, **kwargs)

        return asyncio.run(bounded())

    return run


def config(**websocket: Any) -> dict[str, Any]:
    pool = {"pool": {"num_workers": 2}, **websocket}
    return {
        "server": {"command": f"{require_php()} worker.php"},
        "http": {"pool": {"num_workers": 1}},
        "websocket": pool,
    }


def serving(folder: Path, **websocket: Any) -> Server:
    (folder / "worker.php").write_text(WORKER)
    return Server(folder, config(**websocket))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    topics = [{"match": "public.*", "public": True}, {"match": "seen", "presence": True}]
    with serving(tmp_path_factory.mktemp("websocket"), topics=topics, limits={"max_message_size": 64}) as server:
        yield server
        assert server.stop() == 0


def client(server: Server, query: str = "", **options: Any) -> connect:
    return connect(f"{server.url.replace('http', 'ws')}/ws?{query}", open_timeout=PATIENCE, **options)


async def followers(sockets: WebSockets, topic: str, count: int) -> None:
    """Return once so many connections follow a topic: an open socket joins in the next turn of the server. With Redis
    a topic is listed before it is followed: ask a worker instead."""
    while len(sockets.connections(topic=topic)) < count:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.02)


async def ask(one: ClientConnection, message: str | bytes) -> str | bytes:
    await one.send(message)
    return await one.recv()


def test_messages_come_back_in_order_whatever_their_size(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server) as one:
            assert await ask(one, "héllo") == "héllo"
            assert await ask(one, b"\x00\xff") == b"\x00\xff"
            large = "x" * 60_000
            for message in ["a", large, "b"]:
                await one.send(message)
            assert [await one.recv() for _ in range(3)] == ["a", large, "b"]
            await one.send(["in ", "frag", "ments"])
            assert await one.recv() == "in fragments"
            await one.send("three")
            assert [await one.recv() for _ in range(3)] == ["1", b"\x02", "3"]
            assert await ask(one, "state") == "8"

    scene()


def test_the_state_of_a_connection_follows_it_to_any_worker(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server) as one, client(server) as other:
            pids = set()
            for _ in range(10):
                await asyncio.gather(one.send("pid"), other.send("pid"))
                pids |= {await one.recv(), await other.recv()}
            assert len(pids) == 2
            assert await ask(one, "state") == "11"

    scene()


def test_a_worker_can_refuse_a_client(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with client(server, "refuse=402"):
                pass
        response = refused.value.response
        assert (response.status_code, response.body, response.headers["x-why"]) == (402, b"no", "because")

    scene()


def test_a_worker_chooses_the_subprotocol(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server, subprotocols=["chat", "other"]) as one:
            assert one.subprotocol == "chat"

    scene()


def test_a_worker_closes_with_its_code(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server) as one:
            await one.send("bye")
            with pytest.raises(ConnectionClosed):
                await one.recv()
            assert (one.close_code, one.close_reason) == (4001, "as you wish")

    scene()


def test_workers_are_told_of_the_end(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server, "user=gone") as one:
            await ask(one, "a")
            await one.close(4000, "enough")

    scene()
    server.wait_for("closed gone 4000 enough 1")


def test_publications_reach_followers_but_not_their_sender(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server, "join[]=t1&user=a") as a, client(server, "join[]=t1&join[]=t2&user=b") as b:
            assert await ask(b, "ready?") == "ready?"
            await a.send("to t1 hello")
            assert await b.recv() == "t1 hello"
            assert await ask(a, "nothing else") == "nothing else"

    scene()


def test_clients_follow_public_topics_by_themselves_and_no_others(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server, "topic=public.news&topic=private") as one:
            await ask(one, "ready?")
            with WebSockets(RpcClient(server.rpc)) as sockets:
                sent = sockets.publish(["public.news", "private"], "news")
            assert await one.recv() == "news"
            assert (sent["public.news"]["receivers"], sent["private"]["receivers"]) == (1, 0)

    scene()


def test_other_processes_see_and_steer_connections(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server, "user=seen&join[]=seen") as one, client(server, "user=seen") as two:
            assert await ask(one, "ready?") == "ready?"
            await ask(two, "ready?")
            with WebSockets(RpcClient(server.rpc)) as sockets:
                (member,) = sockets.presence("seen")
                assert (member["user"], member["info"], len(member["connections"])) == ("seen", {"color": "blue"}, 1)
                assert len(sockets.connections(user="seen")) == 2
                (identity,) = member["connections"]
                sockets.send(identity, b"\x01")
                assert await one.recv() == b"\x01"
                assert sockets.send_to_user("seen", "both") == 2
                assert [await one.recv(), await two.recv()] == ["both", "both"]
                sockets.disconnect(identity, 4002, "out")
                with pytest.raises(ConnectionClosed):
                    await one.recv()
                assert one.close_code == 4002
                with pytest.raises(CallFailed, match="no connection has the id"):
                    sockets.send("unknown", "x")
                assert sockets.disconnect_user("seen") == 1

    scene()


def test_the_command_line_shows_publishes_and_closes(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server, "user=shown&join[]=shown") as one:
            await ask(one, "ready?")
            shown = await asyncio.to_thread(rr, "websocket", "list", "--topic", "shown", cwd=server.folder)
            assert "shown" in shown.stdout
            assert "1 connection" not in shown.stdout
            assert "shown" in (await asyncio.to_thread(rr, "websocket", "topics", cwd=server.folder)).stdout
            sent = await asyncio.to_thread(rr, "websocket", "publish", "shown", "hello", cwd=server.folder)
            assert (sent.stdout, await one.recv()) == ("shown: sent to 1 connection\n", "hello")
            command = ("websocket", "disconnect", "--user", "shown", "--code", "4009", "--reason", "out")
            closed = await asyncio.to_thread(rr, *command, cwd=server.folder)
            assert closed.stdout == "closed 1 connection\n"
            with pytest.raises(ConnectionClosed):
                await one.recv()
            assert (one.close_code, one.close_reason) == (4009, "out")

    scene()


def test_a_page_of_another_origin_is_refused(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server, origin=server.url) as one:
            assert await ask(one, "same") == "same"
        with pytest.raises(InvalidStatus) as refused:
            async with client(server, origin="https://evil.example"):
                pass
        assert refused.value.response.status_code == 403

    scene()


def test_other_requests_and_other_paths_are_answered_in_words(server: Server) -> None:
    with pytest.raises(HTTPError) as plain:
        urlopen(f"{server.url}/ws", timeout=PATIENCE)
    assert (plain.value.code, plain.value.read()) == (426, b"this address serves WebSocket\n")
    with urlopen(f"{server.url}/ws/other", timeout=PATIENCE) as answer:
        assert answer.read() == b"http"


@pytest.mark.parametrize(("message", "code"), [("throw", 1011), ("die", 1011), ("garbage", 1011), ("x" * 70_000, 1009)])
def test_what_goes_wrong_closes_one_connection(server: Server, message: str, code: int) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server) as bad, client(server) as good:
            await bad.send(message)
            with pytest.raises(ConnectionClosed):
                await bad.recv()
            assert bad.close_code == code
            assert await ask(good, "fine") == "fine"

    scene()


def test_a_worker_that_is_killed_costs_the_connection_of_its_event(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async with client(server) as bad, client(server) as good:
            pid = int(await ask(good, "pid"))
            asleep = (server.stdout + server.stderr).count("asleep")
            waiting = [asyncio.create_task(ask(one, "sleep")) for one in (bad, good)]
            await asyncio.to_thread(server.wait_for, "asleep", times=asleep + 2)
            os.kill(pid, signal.SIGKILL)
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            wake = server.folder / "wake"
            wake.touch()
            results = await asyncio.gather(*waiting, return_exceptions=True)
            wake.unlink()
            assert sorted(map(str, results))[-1] == "slept"
            assert sum(isinstance(one, ConnectionClosed) for one in results) == 1

    scene()
    server.wait_for_workers(2, "websocket")


def test_hundreds_of_connections_at_once_are_all_accepted(server: Server) -> None:
    @on_the_loop
    async def scene() -> None:
        async def one() -> str | bytes:
            async with client(server, compression=None) as connection:
                return await ask(connection, "hi")

        assert set(await asyncio.gather(*(one() for _ in range(300)))) == {"hi"}

    scene()


def test_a_client_that_never_reads_delays_nobody(tmp_path: Path) -> None:
    with serving(tmp_path, limits={"max_buffer_size": 256}, topics=[{"match": "all", "public": True}]) as server:

        @on_the_loop
        async def scene() -> None:
            async with client(server, "topic=all", compression=None) as good:
                await ask(good, "ready?")
                host, port = server.address
                with socket.create_connection((host, port)) as silent:
                    silent.sendall(
                        b"GET /ws?topic=all HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
                    )
                    with WebSockets(RpcClient(server.rpc)) as sockets:
                        await followers(sockets, "all", 2)
                        piece = "x" * 100_000
                        for _ in range(200):
                            sockets.publish("all", piece)
                            assert await good.recv() == piece
                            if len(sockets.connections(topic="all")) < 2:
                                return
                        pytest.fail("the client that never reads is still connected")

        scene()


def test_a_silent_client_is_pinged_and_a_dead_one_cut(tmp_path: Path) -> None:
    with serving(tmp_path, ping_interval="1s", ping_timeout="4s") as server:

        @on_the_loop
        async def scene() -> None:
            async with client(server, ping_interval=None) as alive:
                host, port = server.address
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(
                    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
                )
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 101 ")
                assert await reader.read() == b"\x89\x00"  # one ping, then the end
                writer.close()
                assert await ask(alive, "here") == "here"

        scene()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGUSR2])
def test_a_stop_closes_all_clients_with_1012(tmp_path: Path, stop: signal.Signals) -> None:
    with serving(tmp_path, drain_timeout="1s") as server:

        @on_the_loop
        async def scene() -> None:
            clients = [await client(server, f"user={number}") for number in range(20)]
            for one in clients:
                await ask(one, "ready?")
            began = time.monotonic()
            os.kill(server.pid, stop)
            for one in clients:
                await one.wait_closed()
                assert one.close_code == 1012
            if stop == signal.SIGTERM:  # for SIGUSR2 two servers start first
                assert time.monotonic() - began < 20

        scene()
        if stop == signal.SIGTERM:
            assert server.wait() == 0
            for number in range(20):
                assert f"closed {number} 1012" in server.stderr + server.stdout


def test_without_events_no_workers_are_started(tmp_path: Path) -> None:
    topics = [{"match": "news", "public": True, "history": {"size": 10}}]
    status = {"address": f"127.0.0.1:{free_port()}"}
    (tmp_path / "worker.php").write_text(WORKER)
    with Server(tmp_path, {**config(events=[], topics=topics), "status": status}) as server:

        @on_the_loop
        async def scene() -> None:
            async with client(server, "topic=news") as one:
                with WebSockets(RpcClient(server.rpc)) as sockets:
                    await followers(sockets, "news", 1)
                    sockets.publish("news", "hello")
                await one.send("ignored")
                assert await one.recv() == "hello"

        scene()
        assert server.workers("websocket") == set()
        for page in ("health", "ready"):
            with urlopen(f"http://{status['address']}/{page}?plugin=websocket", timeout=PATIENCE) as response:
                assert response.status == 200


def test_clients_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    identity, port = authority.server(), free_port()
    (tmp_path / "worker.php").write_text(WORKER)
    given = config(drain_timeout="1s", limits={"max_message_size": 64})
    given["http"]["ssl"] = {"address": f"127.0.0.1:{port}", "cert": str(identity.cert), "key": str(identity.key)}
    with Server(tmp_path, given) as server:

        @on_the_loop
        async def scene() -> None:
            def wss(query: str = "") -> connect:
                url = f"wss://localhost:{port}/ws?{query}"
                return connect(url, ssl=authority.context(), open_timeout=PATIENCE)

            async with wss("join[]=t&user=secure") as one, wss("join[]=t") as two:
                assert await ask(one, "h\u00e9llo") == "h\u00e9llo"
                assert await ask(one, b"\x00\xff") == b"\x00\xff"
                assert await ask(two, "x" * 60_000) == "x" * 60_000
                await one.send("to t hello")
                assert await two.recv() == "t hello"
                await two.send("bye")
                with pytest.raises(ConnectionClosed):
                    await two.recv()
                assert (two.close_code, two.close_reason) == (4001, "as you wish")
                await one.close(4000, "enough")
            with pytest.raises(InvalidStatus) as refused:
                async with wss("refuse=402"):
                    pass
            assert refused.value.response.status_code == 402
            async with wss() as large:
                await large.send("x" * 70_000)
                with pytest.raises(ConnectionClosed):
                    await large.recv()
                assert large.close_code == 1009
            async with wss() as last:
                await ask(last, "ready?")
                os.kill(server.pid, signal.SIGTERM)
                await last.wait_closed()
                assert last.close_code == 1012

        scene()
        server.wait_for("closed secure 4000 enough")
        assert server.wait() == 0


def test_a_client_over_http2(tmp_path: Path) -> None:
    """A handshake by extended CONNECT (RFC 8441): the frames of WebSocket are the body of a stream."""
    (tmp_path / "worker.php").write_text(WORKER)
    given = config()
    given["http"]["http2"] = {"h2c": True}
    with Server(tmp_path, given) as server, Http2(server.address) as connection:
        handshake = (field(":protocol", "websocket"), field("sec-websocket-version", "13"))
        connection.request(1, "/ws?user=two", *handshake, method="CONNECT", end=False)
        assert connection.status(1) == 200
        peer = Protocol(Side.CLIENT)
        for text in ("one", "two"):
            peer.send_text(text.encode())
            connection.send(frame(DATA, 0, 1, b"".join(peer.data_to_send())))
            answer = connection.until([DATA], 1)
            assert answer is not None
            peer.receive_data(answer.payload)
        assert [bytes(one.data) for one in peer.events_received() if isinstance(one, Frame)] == [b"one", b"two"]
        peer.send_close(4000, "enough")
        connection.send(frame(DATA, 0, 1, b"".join(peer.data_to_send())))
        server.wait_for("closed two 4000 enough")


def example(name: str, folder: Path, program: str) -> Server:
    shutil.copytree(EXAMPLES / name, folder, dirs_exist_ok=True)
    given = yaml.safe_load((EXAMPLES / name / ".rr.yaml").read_text("utf-8"))
    given["rpc"]["listen"] = f"tcp://127.0.0.1:{free_port()}"
    given["http"]["address"] = f"127.0.0.1:{free_port()}"
    given["server"]["command"] = f"{program} {given['server']['command'].split()[1]}"
    return Server(folder, given)


@pytest.mark.parametrize("name", ["websocket", "websocket-python"])
def test_the_chat_of_the_manual(tmp_path: Path, name: str) -> None:
    program = sys.executable if name.endswith("python") else require_php()
    with example(name, tmp_path, program) as server:

        @on_the_loop
        async def scene() -> None:
            async def send(connection: ClientConnection, **message: Any) -> None:
                await connection.send(json.dumps(message))

            async def receive(connection: ClientConnection) -> Any:
                return json.loads(await connection.recv())

            with pytest.raises(InvalidStatus):
                async with client(server):
                    pass
            async with client(server, "name=ann") as ann:
                await send(ann, hello=True)
                assert await receive(ann) == {"people": ["ann"]}
                async with client(server, "name=bob") as bob:
                    await send(bob, hello=True)
                    assert sorted((await receive(bob))["people"]) == ["ann", "bob"]
                    assert await receive(ann) == {"joined": "bob"}
                    await send(bob, typing=True)
                    assert await receive(ann) == {"typing": "bob"}
                    await send(bob, text="hello")
                    first = await receive(bob)
                    assert json.loads(first["data"]) == {"from": "bob", "text": "hello"}
                    assert await receive(ann) == first
                assert await receive(ann) == {"left": "bob"}
                await send(ann, text="are you there?")
                await receive(ann)
                async with client(server, f"name=bob&offset={first['offset']}&epoch={first['epoch']}") as bob:
                    assert json.loads((await receive(bob))["data"])["text"] == "are you there?"

        scene()
        with urlopen(server.url, timeout=PATIENCE) as page:
            assert b"new WebSocket" in page.read()


def test_the_chats_have_the_same_page() -> None:
    pages = {(EXAMPLES / name / "chat.html").read_bytes() for name in ("websocket", "websocket-python")}
    assert len(pages) == 1


ECHO = """
from pyroadrunner.sdk import websocket

class Echo(websocket.Handler):
    def on_connect(self, connection):
        connection.join("all")
        connection.state = {"messages": 0}

    def on_message(self, connection, data, binary):
        connection.state["messages"] += 1
        connection.send(data if binary else f"{connection.state['messages']}: {data.decode()}")

websocket.serve(Echo())
"""


def test_state_and_messages_in_python(tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(ECHO)
    config = {"server": {"command": f"{sys.executable} echo.py"}, "websocket": {"pool": {"num_workers": 1}}}
    with Server(tmp_path, {"http": {"pool": {"num_workers": 1, "debug": True}}, **config}) as server:

        @on_the_loop
        async def scene() -> None:
            async with client(server) as one:
                assert [await ask(one, "a"), await ask(one, b"b"), await ask(one, "c")] == ["1: a", b"b", "3: c"]

        scene()
