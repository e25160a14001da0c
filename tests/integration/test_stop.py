"""The stop of ``rr serve`` under load: each request is served or refused, and no client delays the stop."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.load import Load
from support.php import require_php
from support.server import Server, free_port
from support.tls import Authority

STOPPING = "stop signal received"
WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"


def server(
    folder: Path,
    *,
    grace: str = "300s",
    launcher: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    **http: Any,
) -> Server:
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {"pool": {"num_workers": 2}, **http},
        "endure": {"grace_period": grace},
    }
    # The engine closes a silent connection after 30 seconds anyway, so the test must be faster.
    return Server(folder, config, timeout=20, launcher=launcher, env=env)


@pytest.mark.parametrize("http10", [False, True])
def test_no_request_is_lost(tmp_path: Path, http10: bool) -> None:
    for _ in range(3):
        with server(tmp_path, http10=http10) as running, Load(running.address, threads=16, stops=True) as load:
            assert running.stop() == 0
        assert load.failures == []


def test_no_request_over_tls_is_lost(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    identity = authority.server()
    for _ in range(3):
        address = ("localhost", free_port())
        files = {"address": f"127.0.0.1:{address[1]}", "cert": str(identity.cert), "key": str(identity.key)}
        with (
            server(tmp_path, ssl=files) as running,
            Load(address, threads=16, tls=authority.context(), stops=True) as load,
        ):
            assert running.stop() == 0
        assert load.failures == []


def test_a_connection_that_sends_its_request_later_is_served(tmp_path: Path) -> None:
    with server(tmp_path) as running, socket.create_connection(running.address) as client:
        running.send(signal.SIGTERM)
        running.wait_for(STOPPING)
        client.sendall(b"GET / HTTP/1.1\r\nHost: ex.com\r\n\r\n")
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        assert running.wait() == 0


def test_requests_still_queued_after_the_grace_period_get_a_503(tmp_path: Path) -> None:
    """Two of four slow requests have a worker, two are queued."""
    with server(tmp_path, grace="500ms") as running, ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(running.address)) for _ in range(4)]
        for client in clients:
            client.sendall(b"GET /slow?ms=20000 HTTP/1.1\r\nHost: ex.com\r\n\r\n")
        assert running.stop() == 0
        for client in clients:
            answer = client.recv(1 << 16)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: 1\r\n" in answer.lower()
    assert "ASGI" not in running.stderr


@pytest.mark.parametrize("http10", [False, True])
def test_a_silent_connection_does_not_delay_the_stop(tmp_path: Path, http10: bool) -> None:
    with server(tmp_path, http10=http10) as running, socket.create_connection(running.address) as client:
        assert running.stop() == 0  # fails before the engine's limits, and long before the grace period
        assert client.recv(1) == b""


def test_an_unfinished_handshake_does_not_delay_the_stop(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    identity = authority.server()
    port = free_port()
    files = {"address": f"127.0.0.1:{port}", "cert": str(identity.cert), "key": str(identity.key)}
    with server(tmp_path, ssl=files) as running, socket.create_connection(("127.0.0.1", port)) as client:
        hello = ssl.MemoryBIO()
        session = authority.context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            session.do_handshake()
        client.sendall(hello.read())
        assert client.recv(1 << 16)
        assert running.stop() == 0


def test_closed_standard_streams_are_not_taken_for_sockets(tmp_path: Path) -> None:
    """Otherwise the first sockets get the descriptors 0 and 2 and the terminal output, and libuv aborts."""
    with server(tmp_path, launcher=["sh", "-c", 'exec "$@" <&- 2>&-', "sh"]) as running:
        assert [os.readlink(f"/proc/{running.pid}/fd/{number}") for number in (0, 2)] == [os.devnull] * 2
        assert running.stop() == 0


def upload(path: str, size: int) -> bytes:
    """A form with a file of ``size`` zeros, without its end."""
    head = b'--XbX\r\nContent-Disposition: form-data; name="f"; filename="f.bin"\r\n\r\n'
    fields = f"Host: a\r\nContent-Type: multipart/form-data; boundary=XbX\r\nContent-Length: {len(head) + size + 9}"
    return f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + head + bytes(size)


@pytest.mark.parametrize("http10", [False, True])
def test_a_forced_exit_leaves_no_temporary_file(tmp_path: Path, http10: bool) -> None:
    """A worker handles one upload; a large and a small one are still arriving."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with server(tmp_path, http10=http10, env={"TMPDIR": str(temporary)}) as running, ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(running.address)) for _ in range(3)]
        clients[0].sendall(upload(f"/wait?for={tmp_path}/never", 1000) + b"\r\n--XbX--")
        clients[1].sendall(upload("/", 100))
        clients[2].sendall(upload("/", 3 << 20))
        while len(list(temporary.glob("upload*"))) < 3:
            time.sleep(0.01)
        running.send(signal.SIGTERM)
        running.wait_for(STOPPING)
        assert running.stop() == 1
        assert running.stdout.endswith("exit forced\n")
    assert list(temporary.iterdir()) == []
