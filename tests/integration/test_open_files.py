"""Running out of file descriptors, on the real ``rr serve``."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support.php import require_php
from support.server import Server

WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"
GET = b"GET /pid HTTP/1.1\r\nHost: ex.com\r\n\r\n"


def server(folder: Path, limits: str, *, http10: bool = False) -> Server:
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 1}, "http10": http10},
    }
    return Server(folder, config, launcher=["sh", "-c", f'{limits} && exec "$@"', "sh"])


@contextmanager
def connected(server: Server, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(server.address, 20)) for _ in range(count)]


def answered(client: socket.socket) -> bool:
    client.sendall(GET)
    return client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_the_limit_is_raised_to_the_maximum(tmp_path: Path) -> None:
    with server(tmp_path, "ulimit -Sn 100 && ulimit -Hn 1000") as running:
        [line] = [one for one in Path(f"/proc/{running.pid}/limits").read_text().splitlines() if "open files" in one]
        assert line.split()[3:5] == ["1000", "1000"]


def test_a_connection_over_the_limit_waits_until_another_closes(tmp_path: Path) -> None:
    with server(tmp_path, "ulimit -n 130") as running, connected(running, 66) as clients:
        *served, late, _ = clients
        assert all(answered(client) for client in served)
        running.wait_for("no more connections are taken until some are closed")
        late.sendall(GET)
        served[0].close()
        assert late.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_the_http10_listener_closes_connections_over_the_limit(tmp_path: Path) -> None:
    with server(tmp_path, "ulimit -n 400", http10=True) as running, connected(running, 101) as clients:
        running.wait_for("connection limit reached; new connections are closed")
        assert all(answered(client) for client in clients[:100])


def test_an_engine_that_failed_starts_again(tmp_path: Path) -> None:
    """With so few descriptors that even the minimum number of connections does not fit."""
    with server(tmp_path, "ulimit -n 64") as running:
        with connected(running, 60):
            running.wait_for("the HTTP server has failed and its connections are lost; it starts again")
        with connected(running, 1) as [client]:
            assert answered(client)
