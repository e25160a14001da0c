"""Running out of file descriptors, on the real ``rr serve``."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

import pytest

from support.php import require_php
from support.server import Server

WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"
GET = b"GET /pid HTTP/1.1\r\nHost: ex.com\r\n\r\n"


def server(folder: Path, limits: str, *, h2c: bool = False) -> Server:
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 1}, "http2": {"h2c": h2c}},
    }
    return Server(folder, config, launcher=["sh", "-c", f'{limits} && exec "$@"', "sh"])


@contextmanager
def connected(server: Server, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(server.address, 20)) for _ in range(count)]


def answered(client: socket.socket) -> bool:
    try:
        client.sendall(GET)
        return client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    except ConnectionError:
        return False


def test_the_limit_is_raised_to_the_maximum(tmp_path: Path) -> None:
    with server(tmp_path, "ulimit -Sn 100 && ulimit -Hn 1000") as running:
        [line] = [one for one in Path(f"/proc/{running.pid}/limits").read_text().splitlines() if "open files" in one]
        assert line.split()[3:5] == ["1000", "1000"]


def test_over_the_limit_a_new_client_takes_the_place_of_an_idle_one(tmp_path: Path) -> None:
    with server(tmp_path, "ulimit -n 130") as running, connected(running, 65) as clients:
        assert all(answered(client) for client in clients)
        with connected(running, 1) as [late]:
            assert answered(late)
        assert clients[0].recv(1) == b""
        running.wait_for("connection limit reached; an idle connection was closed")


def test_with_h2c_a_connection_over_the_limit_waits_until_another_closes(tmp_path: Path) -> None:
    with server(tmp_path, "ulimit -n 130", h2c=True) as running, connected(running, 66) as clients:
        *served, late, _ = clients
        assert all(answered(client) for client in served)
        running.wait_for("connection limit reached; new connections wait in the backlog")
        late.sendall(GET)
        served[0].close()
        assert late.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("h2c", [False, True])
def test_a_server_without_a_free_descriptor_recovers(tmp_path: Path, h2c: bool) -> None:
    """With so few descriptors that even the minimum number of connections does not fit."""
    with server(tmp_path, "ulimit -n 64", h2c=h2c) as running:
        with connected(running, 60) as clients:
            if h2c:
                running.wait_for("the HTTP server failed and lost its connections; restarting it")
            else:
                while answered(clients.pop()):
                    pass
        deadline = monotonic() + 20
        while True:  # the server closes the descriptors of the others in its own time
            with connected(running, 1) as [client]:
                if answered(client):
                    break
            assert monotonic() < deadline
