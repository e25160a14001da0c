"""Clients of HTTP/2 and of HTTP/1.1 over TLS that leave while their request waits for the only worker, on the real ``rr
serve``: the worker never gets it, and log and metrics have it as 499."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.http2 import Http2, reset
from support.metrics import scrape
from support.php import require_php
from support.server import Server, free_port, rr
from support.tls import Authority

WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"


def statuses(server: Server) -> list[int]:
    lines = [json.loads(line) for line in server.stderr.splitlines() if '"http log"' in line]
    return sorted(line["status"] for line in lines)


def execs(server: Server) -> int:
    [worker] = json.loads(rr("workers", "--json", cwd=server.folder).stdout)["http"]["workers"]
    number: int = worker["numExecs"]
    return number


def wait_for_queue(metrics: str, wanted: int) -> None:
    """Wait until so many requests are with a worker or wait for one."""
    until = time.monotonic() + 20
    while (found := scrape(metrics).get("rr_http_requests_queue", 0)) != wanted:
        assert time.monotonic() < until, f"{found} requests"


def close(client: socket.socket) -> None:
    client.close()


def end(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


def cancel(client: socket.socket) -> None:
    client.sendall(reset(1))


class Clients:
    """Opens connections that send one request each.

    Args:
        kind: ``h2c``, ``HTTP/2 over TLS`` or ``HTTP/1.1 over TLS``.
    """

    def __init__(self, kind: str, address: tuple[str, int], authority: Authority) -> None:
        self._http2 = kind != "HTTP/1.1 over TLS"
        self._address = address
        alpn = "h2" if self._http2 else "http/1.1"
        self._tls: ssl.SSLContext | None = None if kind == "h2c" else authority.context(alpn=alpn)

    def ask(self, path: str) -> socket.socket:
        if self._http2:
            client = Http2(self._address, self._tls)
            client.request(1, path)
            return client.socket
        assert self._tls is not None
        raw = socket.create_connection(self._address, 20)
        encrypted = self._tls.wrap_socket(raw, server_hostname="localhost")
        encrypted.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return encrypted


@pytest.mark.parametrize(
    ("kind", "leave"),
    [
        *[(kind, leave) for kind in ("h2c", "HTTP/2 over TLS") for leave in (close, end, cancel)],
        *[("HTTP/1.1 over TLS", leave) for leave in (close, end)],
    ],
)
def test_a_client_that_leaves_the_queue(tmp_path: Path, kind: str, leave: Callable[[socket.socket], None]) -> None:
    authority = Authority(tmp_path)
    identity = authority.server()
    port, metrics = free_port(), f"127.0.0.1:{free_port()}"
    gate = tmp_path / "gate"
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {
            "pool": {"num_workers": 1},
            "http2": {"h2c": True},
            "middleware": ["http_metrics"],
            "ssl": {"address": f"127.0.0.1:{port}", "cert": str(identity.cert), "key": str(identity.key)},
        },
        "metrics": {"address": metrics},
        "logs": {"mode": "production", "output": "stderr", "level": "info"},
    }
    with Server(tmp_path, config) as server:
        clients = Clients(kind, server.address if kind == "h2c" else ("127.0.0.1", port), authority)
        with closing(clients.ask(f"/wait?for={gate}")):
            wait_for_queue(metrics, 1)
            with closing(clients.ask("/pid")) as leaving, closing(clients.ask("/pid")):
                wait_for_queue(metrics, 3)
                leave(leaving)
                server.wait_for('"status":499')
                wait_for_queue(metrics, 2)
                assert scrape(metrics)['rr_http_request_total{status="499"}'] == 1
                gate.touch()
                server.wait_for('"status":200', times=2)
        assert execs(server) == 2
        assert statuses(server) == [200, 200, 499]
