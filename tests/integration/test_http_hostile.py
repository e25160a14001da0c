"""Clients of the real ``rr serve`` that send strange pieces, do not read, or leave; and what reaches the others."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from support.http import split
from support.metrics import scrape
from support.php import require_php
from support.server import READY, Server, free_port, rr

WORKER = Path(__file__).parents[1] / "support" / "workers" / "wire.php"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
KB, MB = 1 << 10, 1 << 20
LARGE = b"GET /large?size=20971520 HTTP/1.1\r\nHost: a\r\n\r\n"
STREAM = b"GET /pieces?count=400&size=65536 HTTP/1.1\r\nHost: a\r\n\r\n"


def serving(folder: Path, **sections: object) -> Server:
    config: dict[str, object] = {
        "server": {"command": [require_php(), "-d", "memory_limit=-1", str(WORKER)]},
        "http": {"pool": {"num_workers": 1}},
        "logs": {"level": "info", "mode": "production", "output": "stderr"},
        "endure": {"grace_period": "1s"},
        **sections,
    }
    return Server(folder, config)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("hostile")) as running:
        yield running


def connect(server: Server, receives: int = 0) -> socket.socket:
    connection = socket.socket()
    if receives:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
    connection.settimeout(30)
    connection.connect(server.address)
    return connection


def rest(connection: socket.socket) -> bytes:
    found = bytearray()
    while data := connection.recv(1 << 18):
        found += data
    return bytes(found)


def until(connection: socket.socket, text: bytes) -> bytes:
    found = b""
    while text not in found:
        data = connection.recv(1 << 16)
        assert data, found
        found += data
    return found


# -- requests --------------------------------------------------------------------------------------------------------


def test_ten_thousand_requests_in_one_write_are_answered_in_order(server: Server) -> None:
    requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(10_000))
    with connect(server) as connection:
        sender = threading.Thread(target=connection.sendall, args=(requests[:-2] + b"Connection: close\r\n\r\n",))
        sender.start()
        answer = rest(connection)
        sender.join(20)
    bodies = [part.partition(b"HTTP/1.1")[0] for part in answer.split(b"\r\n\r\n")[1:]]
    assert [int(body.rpartition(b"/")[2]) for body in bodies] == list(range(10_000))


def test_a_body_in_chunks_of_one_byte_arrives(server: Server) -> None:
    with connect(server) as connection:
        head = b"POST /size HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + b"1\r\na\r\n" * 200_000 + b"0\r\n\r\n")
        assert split(rest(connection))[2] == b"200000"


def test_a_request_byte_by_byte_arrives(server: Server) -> None:
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = b"POST /size HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        for byte in request + b"3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n":
            connection.sendall(bytes((byte,)))
        assert split(rest(connection))[2] == b"3"


# -- responses -------------------------------------------------------------------------------------------------------


def test_pieces_of_a_stream_arrive_one_by_one(server: Server, tmp_path: Path) -> None:
    with connect(server) as connection:
        gate = f"{tmp_path}/gate"
        target = f"/pieces?count=3&size=3&gate={quote(gate)}"
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        for number, piece in enumerate((b"3\r\naaa\r\n", b"3\r\nbbb\r\n", b"3\r\nccc\r\n")):
            Path(f"{gate}{number}").touch()
            until(connection, piece)
        assert rest(connection) in (b"0\r\n\r\n", b"")


def test_early_hints_arrive_before_the_response(server: Server, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with connect(server) as connection:
        connection.sendall(f"GET /hints?for={gate} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        link = b"Link: </a.css>; rel=preload\r\n"
        assert until(connection, b"\r\n\r\n") == b"HTTP/1.1 103 Early Hints\r\n" + link + b"\r\n"
        gate.touch()
        answer = rest(connection)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert link in answer
        assert answer.endswith((b"page", b"4\r\npage\r\n0\r\n\r\n"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Connection", "keep-alive"),
        ("connection", "Upgrade, x"),
        ("Keep-Alive", "timeout=5"),
        ("KEEP-ALIVE", "timeout=5"),
        ("Upgrade", "h2c"),
        ("Transfer-Encoding", "chunked"),
        ("proxy-connection", "keep-alive"),
    ],
)
def test_headers_of_the_connection_from_a_worker_do_no_harm(server: Server, name: str, value: str) -> None:
    with connect(server) as connection:
        for _ in range(2):
            target = f"/connection?name={name}&value={quote(value)}"
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            status, headers, body = split(until(connection, b"\r\n\r\nok"))
            assert (status, body, headers["content-length"]) == (200, b"ok", ["2"])
            assert {"connection", "keep-alive", "upgrade", "transfer-encoding", "proxy-connection"}.isdisjoint(headers)


@pytest.mark.parametrize("value", ["close", "Close", "x, close"])
def test_a_worker_closes_the_connection(server: Server, value: str) -> None:
    with connect(server) as connection:
        connection.sendall(f"GET /connection?name=connection&value={quote(value)} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert split(rest(connection))[1]["connection"] == ["close"]


# -- clients that leave ----------------------------------------------------------------------------------------------


def test_a_client_that_leaves_the_queue_is_logged_and_counted_as_499(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    metrics = f"127.0.0.1:{free_port()}"
    http = {"pool": {"num_workers": 1}, "middleware": ["http_metrics"]}
    with serving(tmp_path, http=http, metrics={"address": metrics}) as server:

        def waiting(count: int) -> None:
            deadline = time.monotonic() + 20
            while scrape(metrics)["rr_http_requests_queue"] != count:
                assert time.monotonic() < deadline

        with connect(server) as running:
            running.sendall(f"GET /wait?for={gate} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            waiting(1)
            leaving = [connect(server) for _ in range(3)]
            for connection in leaving:
                connection.sendall(GET)
            waiting(4)
            leaving[0].close()
            leaving[1].shutdown(socket.SHUT_WR)
            leaving[2].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            leaving[2].close()
            waiting(1)  # while the worker still has the first request
            server.wait_for('"status":499', times=3)
            gate.touch()
            until(running, b"waited")
            leaving[1].close()
        samples = scrape(metrics)
        assert samples['rr_http_request_total{status="499"}'] == 3
        assert samples['rr_http_request_total{status="200"}'] == 1


def test_a_client_that_leaves_the_queue_takes_its_call_along_without_a_log_and_middleware_too(tmp_path: Path) -> None:
    """Then requests are served without a task."""
    gate = tmp_path / "gate"
    metrics = f"127.0.0.1:{free_port()}"
    with serving(tmp_path, logs={"level": "warn"}, metrics={"address": metrics}) as server:

        def waiting(count: int) -> None:
            deadline = time.monotonic() + 20
            while scrape(metrics)["rr_http_requests_queue"] != count:
                assert time.monotonic() < deadline

        with connect(server) as running:
            running.sendall(f"GET /wait?for={gate} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            waiting(1)
            leaving = [connect(server) for _ in range(3)]
            for connection in leaving:
                connection.sendall(GET)
            waiting(4)
            for connection in leaving:
                connection.close()
            waiting(1)
            gate.touch()
            until(running, b"waited")


# -- clients that do not read ----------------------------------------------------------------------------------------


def stalled(server: Server, request: bytes) -> socket.socket:
    """A client with a response that it does not read."""
    connection = connect(server, 4 * KB)
    connection.sendall(request)
    assert connection.recv(9) == b"HTTP/1.1 "
    return connection


@pytest.mark.parametrize("request_", [LARGE, STREAM], ids=["whole", "stream"])
def test_a_stop_is_bounded_by_the_grace_period(tmp_path: Path, request_: bytes) -> None:
    with serving(tmp_path) as server, stalled(server, request_):
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("request_", [LARGE, STREAM], ids=["whole", "stream"])
def test_a_restart_completes(tmp_path: Path, request_: bytes) -> None:
    with serving(tmp_path, endure={"grace_period": "1s", "retirement": "100ms"}) as server, stalled(server, request_):
        began = time.monotonic()
        server.send(signal.SIGUSR2)
        server.wait_for(READY, times=2)
        assert time.monotonic() - began < 15
        with connect(server) as connection:
            connection.sendall(GET)
            assert connection.recv(KB).startswith(b"HTTP/1.1 200")


def test_a_reload_does_not_wait_for_it_and_does_not_cut_it(tmp_path: Path) -> None:
    with serving(tmp_path) as server, stalled(server, LARGE) as connection:
        (tmp_path / ".rr.yaml").write_text(
            json.dumps({**server.config, "http": {**server.config["http"], "pool": {"num_workers": 2}}})
        )
        done = rr("reload", cwd=tmp_path)
        assert (done.code, done.stderr) == (0, "")
        server.wait_for_workers(2)
        connection.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert len(rest(connection)) > 20 * MB
