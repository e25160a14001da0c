"""``http.limits`` on the real ``rr serve``, with small values, and clients that test them."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.http import split
from support.metrics import scrape
from support.php import require_php
from support.server import Server, free_port

WORKER = Path(__file__).parents[1] / "support" / "workers" / "wire.php"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
KB, MB = 1 << 10, 1 << 20
LIMITS = {
    "head_timeout": "1s",
    "idle_timeout": "2s",
    "body_timeout": "1s",
    "write_timeout": "2s",
    "max_head_size": 4,
    "max_buffer_size": 64,
}


def serving(folder: Path, workers: int = 1, **http: object) -> Server:
    config = {
        "server": {"command": [require_php(), "-d", "memory_limit=-1", str(WORKER)]},
        "http": {"pool": {"num_workers": workers}, **http},
        "logs": {"level": "warn", "mode": "production", "output": "stderr"},
        "metrics": {"address": f"127.0.0.1:{free_port()}"},
    }
    # The allocator gives large blocks back at once, so that the memory of the process is what the server uses.
    return Server(folder, config, env={"MALLOC_MMAP_THRESHOLD_": "1048576"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("limits"), workers=2, limits=LIMITS) as running:
        yield running


def connect(server: Server, receives: int = 0) -> socket.socket:
    """A connection; ``receives`` bounds what the client's kernel takes."""
    connection = socket.socket()
    if receives:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
    connection.settimeout(20)
    connection.connect(server.address)
    return connection


def rest(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    found = bytearray()
    try:
        while data := connection.recv(1 << 16):
            found += data
    except ConnectionResetError:
        found += b"<reset>"
    return bytes(found)


def seconds(began: float) -> float:
    return time.monotonic() - began


def resident(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * KB


def test_a_head_that_stops_or_trickles_gets_408(server: Server) -> None:
    with connect(server) as silent, connect(server) as stopped, connect(server) as trickling:
        began = time.monotonic()
        stopped.sendall(GET[:20])
        trickling.setblocking(False)
        trickled = b""
        for byte in b"GET / HTTP/1.1\r\nX: " + b"y" * 1000:
            try:
                trickling.send(bytes((byte,)))
                trickled += trickling.recv(KB)
                break
            except BlockingIOError:
                time.sleep(0.05)
        assert split(trickled)[0] == 408
        assert split(rest(stopped))[0] == 408
        assert rest(silent) == b""
        assert 0.9 < seconds(began) < 10


def test_a_kept_connection_is_closed_when_it_is_idle(server: Server) -> None:
    with connect(server) as connection:
        for _ in range(2):
            time.sleep(0.2)
            connection.sendall(GET)
            assert connection.recv(KB).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        assert rest(connection) == b""
        assert 1.8 < seconds(began) < 10


@pytest.mark.parametrize("coding", [b"Content-Length: 100\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc"])
def test_a_body_that_stops_gets_408(server: Server, coding: bytes) -> None:
    with connect(server) as connection:
        connection.sendall(b"POST /size HTTP/1.1\r\nHost: a\r\n" + coding)
        assert split(rest(connection))[0] == 408


@pytest.mark.parametrize(("target", "clients"), [("/large?size=10485760", 6), ("/pieces?count=160&size=65536", 2)])
def test_a_client_that_does_not_read_is_disconnected_and_its_memory_freed(
    server: Server, target: str, clients: int
) -> None:
    with connect(server) as warm:
        warm.sendall(b"GET /large?size=10485760 HTTP/1.0\r\n\r\n")
        assert len(rest(warm)) > 10 * MB
    before = resident(server.pid)
    cut = server.stderr.count("does not read its response")
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(server, 4 * KB)) for _ in range(clients)]
        for connection in connections:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        server.wait_for("does not read its response", times=cut + 1)
        got = rest(connections[0])
        assert got.endswith(b"<reset>") or len(got) < 10 * MB
        deadline = time.monotonic() + 10
        while len(connections_of(server)) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
    while resident(server.pid) >= before + 15 * MB and time.monotonic() < deadline:
        time.sleep(0.05)
    assert resident(server.pid) < before + 15 * MB


def connections_of(server: Server) -> list[str]:
    """Established connections of clients, as the kernel knows them."""
    port = f":{server.address[1]:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[2] for row in rows if row[1].endswith(port) and row[3] == "01"]


def test_a_head_that_is_too_large_gets_431(server: Server) -> None:
    for more in (b"X: " + b"y" * 4100, b"X: y\r\n" * 700):
        with connect(server) as connection:
            connection.sendall(GET[:-2] + more + b"\r\n\r\n")
            assert split(rest(connection))[0] == 431
    with connect(server) as connection:
        connection.sendall(GET[:-2] + b"X: " + b"y" * 3900 + b"\r\n\r\n")
        assert connection.recv(KB).startswith(b"HTTP/1.1 200")


def test_refusals_are_counted_and_logged_once_a_second(server: Server) -> None:
    metrics = server.config["metrics"]["address"]
    name = 'rr_http_refused_total{kind="host"}'
    logged = server.stderr.count("the Host header is missing")
    for _ in range(20):
        with connect(server) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert split(rest(connection))[0] == 400
    assert scrape(metrics)[name] == 20
    lines = [line for line in server.stderr.splitlines() if "the Host header is missing" in line]
    assert 1 <= len(lines) - logged < 10
    line = json.loads(lines[-1])
    assert (line["msg"], line["status"], line["level"]) == ("request refused", 400, "warn")
    assert line["remote_address"].startswith("127.0.0.1:")


def test_a_new_client_is_served_when_silent_clients_have_all_connections(tmp_path: Path) -> None:
    with serving(tmp_path, limits={"max_connections": 5}) as server, ExitStack() as stack:
        for beginning in (b"", GET[:9], b"", GET, b""):
            stack.enter_context(connect(server)).sendall(beginning)
        for _ in range(20):
            connection = stack.enter_context(connect(server))
            connection.sendall(GET)
            assert connection.recv(KB).startswith(b"HTTP/1.1 200")
        assert scrape(server.config["metrics"]["address"])['rr_http_refused_total{kind="idle"}'] == 20


def test_a_new_client_gets_503_when_all_connections_are_busy(tmp_path: Path) -> None:
    with serving(tmp_path, limits={"max_connections": 3}) as server, ExitStack() as stack:
        busy = [stack.enter_context(connect(server)) for _ in range(3)]
        for connection in busy:
            connection.sendall(f"GET /wait?for={tmp_path}/gate HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        deadline = time.monotonic() + 20
        while scrape(server.config["metrics"]["address"])["rr_http_requests_queue"] < 3:
            assert time.monotonic() < deadline
        new = stack.enter_context(connect(server))
        assert split(rest(new))[0] == 503
        (tmp_path / "gate").touch()
        for connection in busy:
            assert connection.recv(KB).startswith(b"HTTP/1.1 200")


def test_the_buffers_of_a_stream_are_bounded(tmp_path: Path) -> None:
    """Pieces of 20 MB for clients that do not read: each has one in the server."""
    with serving(tmp_path, workers=4) as server, ExitStack() as stack:
        before = resident(server.pid)
        target = "/pieces?count=4&size=20971520"
        connections = [stack.enter_context(connect(server, 64 * KB)) for _ in range(4)]
        for connection in connections:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            assert connection.recv(9) == b"HTTP/1.1 "
        last = -1
        deadline = time.monotonic() + 20
        while (now := resident(server.pid)) != last and time.monotonic() < deadline:
            last = now
            time.sleep(0.2)
        assert now - before < 4 * 60 * MB, f"{(now - before) / MB:.0f} MB"
        assert b"d" * 20 * MB + b"\r\n0\r\n\r\n" in rest(connections[0])  # the whole stream


def test_idle_connections_cost_little_memory(tmp_path: Path) -> None:
    with serving(tmp_path) as server, ExitStack() as stack:
        for number in range(2000):
            connection = stack.enter_context(connect(server))
            connection.sendall(GET)
            assert connection.recv(KB).startswith(b"HTTP/1.1 200"), number
        assert resident(server.pid) < 60 * MB, f"{resident(server.pid) / MB:.0f} MB"


def test_slow_readers_cost_little_more_than_their_responses(tmp_path: Path) -> None:
    with serving(tmp_path) as server, ExitStack() as stack:
        before = resident(server.pid)
        for _ in range(50):
            connection = stack.enter_context(connect(server, 16 * KB))
            connection.sendall(b"GET /large?size=2097152 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(9) == b"HTTP/1.1 "
        taken = resident(server.pid) - before
        assert taken < (100 + 50) * MB, f"{taken / MB:.0f} MB"
