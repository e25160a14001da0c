"""The `websocket` section over time: traces, reload, reset, restarts, probes, metrics."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_websocket import PATIENCE, ask, client, on_the_loop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pyroadrunner.net.descriptors import raise_limit
from pyroadrunner.sdk.rpc import RpcClient
from support.metrics import scrape
from support.otlp import HttpCollector
from support.php import require_php
from support.ports import free_port
from support.server import Server, rr

HANDSHAKE = (
    b"GET /ws?topic=all HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
use PyRoadRunner\\WebSocket\\{Connection, Handler, WebSocketWorker};

if (getenv('RR_MODE') !== 'websocket') {
    PyRoadRunner\\Http\\Server::run(static fn ($request) => 'http');
    exit;
}
WebSocketWorker::create()->run(new class extends Handler {
    public function onConnect(Connection $c): void {
        parse_str($c->query, $query);
        if (isset($query['refuse'])) {
            throw new RuntimeException('on purpose');
        }
        foreach ((array) ($query['join'] ?? []) as $topic) {
            $c->join($topic);
        }
        $c->send('trace ' . $c->header('traceparent'));
    }
    public function onMessage(Connection $c, string $data, bool $binary): void {
        match ($data) {
            'trace' => $c->send('trace ' . $c->header('traceparent')),
            'pid' => $c->send((string) getmypid()),
            'hang' => sleep(600),
            default => $c->send($data, $binary),
        };
    }
    public function onClose(Connection $c, int $code, string $reason): void {
        fwrite(STDERR, "closed {$code} {$c->header('traceparent')}\\n");
    }
});
"""


def config(**websocket: Any) -> dict[str, Any]:
    return {
        "server": {"command": f"{require_php()} worker.php"},
        "http": {"pool": {"num_workers": 1}},
        "websocket": {"pool": {"num_workers": 1}, **websocket},
    }


def serving(folder: Path, given: dict[str, Any], **options: Any) -> Server:
    (folder / "worker.php").write_text(WORKER)
    return Server(folder, given, **options)


# -- traces ----------------------------------------------------------------------------------------------------------


def test_events_are_traced_into_the_workers(tmp_path: Path) -> None:
    with HttpCollector() as collector:
        given = config() | {"otel": {"endpoint": collector.address, "insecure": True}}
        given["http"]["middleware"] = ["otel"]
        with serving(tmp_path, given, env={"OTEL_BSP_SCHEDULE_DELAY": "50"}) as server:
            sent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}

            @on_the_loop
            async def scene() -> dict[str, str]:
                async with client(server, additional_headers=sent) as one:
                    connected = str(await one.recv()).removeprefix("trace ")
                    handled = str(await ask(one, "trace")).removeprefix("trace ")
                with pytest.raises(InvalidStatus):
                    async with client(server, "refuse=1", additional_headers=sent):
                        pass
                return {"connect /ws": connected, "message /ws": handled}

            seen = scene()
            server.wait_for("closed 1000")
            spans = collector.wait_for("/ws", "/ws?refuse=1", "close /ws")
            for name, got in seen.items():
                found = [
                    span for one in collector.deliveries for span in one.spans if got == f"00-{TRACE}-{span.own}-01"
                ]
                assert [span.name for span in found] == [name]
                assert found[0].trace == TRACE
                assert not found[0].error
            close = spans["close /ws"]
            assert close.trace == TRACE
            assert close.attributes["websocket.close.code"] == 1000
            server.wait_for(f"closed 1000 00-{TRACE}-{close.own}-01")
            failed = [
                span for one in collector.deliveries for span in one.spans if span.name == "connect /ws" and span.error
            ]
            assert len(failed) == 1


# -- reload and reset ------------------------------------------------------------------------------------------------


def test_a_reload_changes_limits_topics_and_the_pool_but_no_paths(tmp_path: Path) -> None:
    with serving(tmp_path, config(topics=[{"match": "old", "public": True}])) as server:

        @on_the_loop
        async def scene() -> None:
            async with client(server, "topic=old") as open_before:
                await open_before.recv()
                change = {
                    "pool": {"num_workers": 2},
                    "limits": {"max_message_size": 1},
                    "topics": [{"match": "new", "public": True}],
                    "path": "/other",
                }
                server.config["websocket"] |= change
                (tmp_path / ".rr.yaml").write_text(yaml.safe_dump(server.config))
                done = await asyncio.to_thread(rr, "reload", cwd=tmp_path)
                assert done.code == 3, done
                applied, _, waiting = done.stdout.partition("needs a restart")
                for key in ("pool.num_workers", "limits.max_message_size", "topics"):
                    assert f"websocket.{key}" in applied
                assert 'websocket.path  "/ws" -> "/other"' in waiting
                assert await ask(open_before, "x" * 2000) == "x" * 2000
                async with client(server, "topic=new&topic=old") as one:
                    await one.recv()
                    with RpcClient(server.rpc) as rpc:
                        assert rpc.call("websocket.Topics") == {"old": 1, "new": 1}
                    await one.send("x" * 2000)
                    with pytest.raises(ConnectionClosed):
                        await one.recv()
                    assert one.close_code == 1009

        scene()
        server.wait_for_workers(2, "websocket")


def test_a_reset_replaces_the_workers_and_keeps_the_connections(tmp_path: Path) -> None:
    with serving(tmp_path, config(pool={"num_workers": 2})) as server:
        before = server.workers("websocket")

        @on_the_loop
        async def scene() -> None:
            async with client(server) as one:
                await one.recv()
                done = await asyncio.to_thread(rr, "reset", "websocket", cwd=tmp_path)
                assert done.code == 0, done
                assert int(await ask(one, "pid")) not in before

        scene()
        assert not before & server.workers("websocket")


# -- seen ------------------------------------------------------------------------------------------------------------


def test_metrics_by_application_and_class_of_topic(tmp_path: Path) -> None:
    metrics = f"127.0.0.1:{free_port()}"
    app = {"id": "3", "key": "key", "secret": "secret"}
    given = config(apps=[app], topics=[{"match": "room.*", "public": True}])
    with serving(tmp_path, given | {"metrics": {"address": metrics}}) as server:

        @on_the_loop
        async def scene() -> Mapping[str, float]:
            pusher = f"{server.url.replace('http', 'ws')}/app/key?protocol=7"
            async with client(server, "topic=room.1") as own, connect(pusher, open_timeout=PATIENCE) as other:
                await own.recv()
                await other.recv()
                await other.send('{"event": "pusher:subscribe", "data": {"channel": "news"}}')
                await other.recv()
                with RpcClient(server.rpc) as rpc:
                    rpc.call("websocket.Publish", {"topics": ["room.1", "none"], "data": "hello"})
                    rpc.call("websocket.Publish", {"topics": ["pusher/3/events/news"], "data": "{}"})
                await own.recv()
                await other.recv()
                return await asyncio.to_thread(scrape, metrics)

        found = scene()
        wanted = {
            'connections{app=""}': 1,
            'connections{app="3"}': 1,
            'received_total{app="3"}': 1,
            'sent_total{app=""}': 2,
            'sent_total{app="3"}': 3,
            'dropped_total{app="3"}': 0,
            'published_total{app="",topics="room.*"}': 1,
            'published_total{app="",topics="other"}': 1,
            'published_total{app="3",topics="public"}': 1,
            'delivered_total{app="",topics="room.*"}': 1,
            'delivered_total{app="3",topics="public"}': 1,
            'driver_up{driver="memory"}': 1,
            "failed_publications_total": 0,
        }
        assert {name: found.get(f"rr_websocket_{name}") for name in wanted} == wanted
        server.wait_for("connection was closed")


def test_clients_of_applications_are_listed_and_closed(tmp_path: Path) -> None:
    app = {"id": "3", "key": "key", "secret": "secret"}
    with serving(tmp_path, config(apps=[app])) as server, RpcClient(server.rpc) as rpc:

        @on_the_loop
        async def scene() -> None:
            pusher = f"{server.url.replace('http', 'ws')}/app/key?protocol=7"
            async with client(server) as own, connect(pusher, open_timeout=PATIENCE) as other:
                await asyncio.gather(own.recv(), other.recv())
                await other.send('{"event": "pusher:subscribe", "data": {"channel": "news"}}')
                await other.recv()
                assert rpc.call("websocket.Count")["apps"] == {"3": 1}
                assert len(rpc.call("websocket.List", {})) == 2
                shown = await asyncio.to_thread(rr, "websocket", "list", "--app", "3", "--json", cwd=tmp_path)
                (found,) = json.loads(shown.stdout)
                assert (found["app"], found["topics"], found["remote_addr"]) == ("3", ["news"], "127.0.0.1")
                assert rpc.call("websocket.List", {"topic": "news"}) != []
                closing = ("--code", "4009", "--reason", "out")
                await asyncio.to_thread(rr, "websocket", "disconnect", found["id"], *closing, cwd=tmp_path)
                with pytest.raises(ConnectionClosed):
                    await other.recv()
                assert (other.close_code, other.close_reason) == (4009, "out")
                assert await ask(own, "still here") == "still here"

        scene()


# -- the end, and the return of all clients --------------------------------------------------------------------------

STORM = 2000


class RawClient:
    """A WebSocket client without a library: thousands of them fit into one test.

    Attributes:
        refusals: handshakes that were answered with 503.
    """

    def __init__(self, server: Server) -> None:
        self._address = server.address
        self.refusals = 0

    async def connect(self) -> None:
        """Connect at once, and again after each 503."""
        while True:
            self.reader, self.writer = await asyncio.open_connection(*self._address)
            self.writer.write(HANDSHAKE)
            head = await self.reader.readuntil(b"\r\n\r\n")
            status = int(head.split()[1])
            if status == 101:
                return
            assert status == 503, head
            assert re.search(rb"\r\nretry-after: \d+\r\n", head.lower()), head
            self.refusals += 1
            self.writer.close()
            await asyncio.sleep(0.1)

    async def close_frame(self) -> tuple[int, str]:
        """Read to the close, answer it, and return its code and reason."""
        while True:
            first, size = await self.reader.readexactly(2)
            payload = await self.reader.readexactly(size)
            if first == 0x88:
                break
        self.writer.write(b"\x88\x82\x00\x00\x00\x00" + payload[:2])
        assert await self.reader.read() == b""
        self.writer.close()
        return int.from_bytes(payload[:2], "big"), payload[2:].decode()


def test_all_clients_come_back_at_once_and_other_requests_are_served(tmp_path: Path) -> None:
    raise_limit()
    given = config(drain_timeout="3s", topics=[{"match": "all", "public": True, "presence": True}])
    with serving(tmp_path, given) as server:

        async def browse(storm: asyncio.Future[Any]) -> int:
            """Requests of others, one after the other; returns how many were answered during the storm."""
            reader, writer = await asyncio.open_connection(*server.address)
            answered = 0
            while not storm.done() or not answered:
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200"), head
                assert await reader.readexactly(4) == b"http"
                answered += not storm.done()
            writer.close()
            return answered

        @on_the_loop
        async def scene() -> None:
            clients = [RawClient(server) for _ in range(STORM)]
            storm = asyncio.gather(*(one.connect() for one in clients))
            answered = await browse(storm)
            await storm
            assert answered >= 10
            with RpcClient(server.rpc) as rpc:
                while rpc.call("websocket.Topics").get("all") != STORM:  # noqa: ASYNC110 - the server sends no event
                    await asyncio.sleep(0.05)
            loop = asyncio.get_running_loop()
            ends: list[float] = []

            async def ended(one: RawClient) -> tuple[int, str]:
                found = await one.close_frame()
                ends.append(loop.time())
                return found

            closing = asyncio.gather(*(ended(one) for one in clients))
            server.send(signal.SIGTERM)
            closes = await closing
            assert {code for code, _ in closes} == {1012}
            assert len({reason for _, reason in closes}) > STORM / 4
            assert ends[-1] - ends[0] > 1.5  # in waves

        scene()
        assert server.wait() == 0
    # One line a second, not one for each refused client.
    assert (server.stdout + server.stderr).count("handshake failed") <= 120
