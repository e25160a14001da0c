"""Public topics as Server-Sent Events."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from pyroadrunner.sdk.rpc import RpcClient
from pyroadrunner.sdk.websocket import WebSockets
from support.mercure import PATIENCE, Events, ask
from support.php import require_php
from support.server import Server

WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
PyRoadRunner\\Http\\Server::run(static fn ($request) => 'http');
"""
TOPICS = [
    {"match": "kept.*", "public": True, "history": {"size": 5}},
    {"match": "plain.*", "public": True},
]


def serving(folder: Path, **settings: object) -> Server:
    (folder / "worker.php").write_text(WORKER)
    websocket = {"events": [], "sse_path": "/sse", "topics": TOPICS, **settings}
    server = {"command": f"{require_php()} worker.php"}
    return Server(folder, {"server": server, "http": {"pool": {"num_workers": 1}}, "websocket": websocket})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("sse"), allowed_origins=["https://page.test"]) as server:
        yield server
        assert server.stop() == 0


@contextmanager
def following(server: Server, query: str, **headers: str) -> Iterator[Events]:
    connection = HTTPConnection(*server.address, timeout=PATIENCE)
    connection.request("GET", f"/sse?{query}", headers=headers)
    events = Events(connection, connection.getresponse())
    try:
        assert events.response.status == 200, events.response.read()
        assert events.line() == ":"
        yield events
    finally:
        events.close()


def publish(server: Server, topic: str, *messages: str | bytes) -> None:
    with WebSockets(RpcClient(server.rpc)) as sockets:
        for message in messages:
            sockets.publish(topic, message)


def test_one_topic_is_its_payload(server: Server) -> None:
    with following(server, "topic=plain.a") as events:
        assert events.response.headers["Content-Type"] == "text/event-stream"
        publish(server, "plain.a", "one\ntwo", b"\xff\x00", "")
        assert events.next() == {"data": "one\ntwo"}
        assert events.next() == {"event": "binary", "data": "/wA="}
        assert events.next() == {"data": ""}


def test_clients_come_back_with_the_id_of_their_last_event(server: Server) -> None:
    with following(server, "topic=kept.a") as events:
        publish(server, "kept.a", "1", "2")
        assert events.data(2) == ["1", "2"]
        last = events.last_id
        epoch, _, offset = last.rpartition(":")
        assert (bool(epoch), offset) == (True, "2")
    publish(server, "kept.a", "3", "4")
    for query, headers in ((f"topic=kept.a&lastEventID={last}", {}), ("topic=kept.a", {"Last-Event-ID": last})):
        with following(server, query, **headers) as events:
            assert events.data(2) == ["3", "4"]
            assert events.last_id == f"{epoch}:4"
    with following(server, "topic=kept.a", **{"Last-Event-ID": "other:1"}) as events:
        publish(server, "kept.a", "5")
        assert events.data(1) == ["5"]


def test_several_topics_have_envelopes_and_one_position(server: Server) -> None:
    query = "topic=kept.b&topic=plain.b&topic=kept.c"
    with following(server, query) as events:
        publish(server, "kept.b", "b")
        publish(server, "plain.b", "plain")
        publish(server, "kept.c", "c")
        found = [json.loads(data) for data in events.data(3)]
        assert [(one["topic"], one["data"]) for one in found] == [
            ("kept.b", "b"),
            ("plain.b", "plain"),
            ("kept.c", "c"),
        ]
        last = events.last_id
    publish(server, "kept.c", "c2")
    publish(server, "kept.b", "b2")
    with following(server, query, **{"Last-Event-ID": last}) as events:
        assert [json.loads(data)["data"] for data in events.data(2)] == ["b2", "c2"]  # in the order of the topics


@pytest.mark.parametrize(
    ("target", "origin", "status"),
    [
        ("/sse", "", 400),
        ("/sse?topic=", "", 400),
        ("/sse?topic=private", "", 403),
        ("/sse?topic=plain.a&topic=private", "", 403),
        ("/sse?topic=plain.a", "https://evil.test", 403),
    ],
)
def test_what_is_not_public_is_refused(server: Server, target: str, origin: str, status: int) -> None:
    answer = ask(server, "GET", target, headers={"Origin": origin} if origin else {})
    assert answer.status == status
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert ask(server, "POST", "/sse?topic=plain.a").status == 405


def test_pages_of_allowed_origins(server: Server) -> None:
    with following(server, "topic=plain.a", Origin="https://page.test") as events:
        assert events.response.headers["Access-Control-Allow-Origin"] == "https://page.test"


def test_a_slow_client_is_cut_and_a_stop_ends_the_others(tmp_path: Path) -> None:
    with serving(tmp_path, limits={"max_buffer_size": 64}) as server, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(PATIENCE)
        slow.connect(server.address)
        slow.sendall(b"GET /sse?topic=plain.s HTTP/1.1\r\nHost: a\r\n\r\n")
        assert slow.recv(8) == b"HTTP/1.1"
        with following(server, "topic=plain.s") as quick, WebSockets(RpcClient(server.rpc)) as sockets:
            receivers = 2
            while receivers == 2:
                receivers = sockets.publish("plain.s", "x" * 50_000)["plain.s"]["receivers"]
                assert len(quick.data(1)[0]) == 50_000
            server.send(signal.SIGTERM)
            assert quick.next() is None
            assert 1 <= quick.retry <= 10_000
        assert server.wait() == 0


def test_a_stream_that_ends_leaves_its_topics(server: Server) -> None:
    with RpcClient(server.rpc) as rpc:
        with following(server, "topic=plain.left"):
            assert rpc.call("websocket.Topics")["plain.left"] == 1
        deadline = time.monotonic() + PATIENCE
        while "plain.left" in rpc.call("websocket.Topics"):
            assert time.monotonic() < deadline, "the stream still follows its topic"
            time.sleep(0.02)
    assert "Traceback" not in server.stderr
