"""Clients that send slowly, or nothing at all, occupy connections but no worker."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from support.php import require_php
from support.server import Server, free_port
from support.tls import Authority

WORKER = Path(__file__).parent.parent / "support" / "workers" / "context.php"
EACH = 80

BEGINNINGS = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: ex.com\r\nX-Slow: ",
    "half a body": b"POST / HTTP/1.1\r\nHost: ex.com\r\nContent-Length: 1000\r\n\r\nabc",
    "half a chunk": b"POST / HTTP/1.1\r\nHost: ex.com\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
    "half an upload": (
        b"POST / HTTP/1.1\r\nHost: ex.com\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: 1000\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nabc'
    ),
    "half a preface": b"PRI * HTTP/2.0\r\n",
}


def ask(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, 20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: ex.com\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer


def test_hundreds_of_slow_clients_leave_the_only_worker_free(tmp_path: Path) -> None:
    identity = Authority(tmp_path).server()
    tls = ("127.0.0.1", free_port())
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {
            "pool": {"num_workers": 1},
            "ssl": {"address": f"127.0.0.1:{tls[1]}", "cert": str(identity.cert), "key": str(identity.key)},
        },
    }
    with Server(tmp_path, config) as server, ExitStack() as slow:
        connections = [
            (slow.enter_context(socket.create_connection(server.address, 20)), beginning)
            for beginning in BEGINNINGS.values()
            for _ in range(EACH)
        ]
        # The start of a TLS handshake: a record of 512 bytes that never arrives.
        connections += [
            (slow.enter_context(socket.create_connection(tls, 20)), b"\x16\x03\x01\x02\x00") for _ in range(EACH)
        ]
        for connection, beginning in connections:
            connection.sendall(beginning)
        for _ in range(20):
            assert ask(server.address).startswith(b"HTTP/1.1 200")
        # The connections are still open, so they were slow and not refused: the last byte of their heads completes
        # them.
        for connection, beginning in connections:
            if beginning == BEGINNINGS["half a head"]:
                connection.sendall(b"a\r\nConnection: close\r\n\r\n")
                assert connection.recv(65536).startswith(b"HTTP/1.1 200")
