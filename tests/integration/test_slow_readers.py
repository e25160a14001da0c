"""Clients that do not read their responses, over TLS and over HTTP/2: the response is given up after a time without
progress, and a stop does not wait for them."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from pyroadrunner.asgi import ASGIApp, Receive, Scope, Send
from pyroadrunner.httpd.engine import HttpListener
from pyroadrunner.httpd.limits import Limits
from pyroadrunner.httpd.tls import TlsFiles
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.net.peers import count_connections
from support.http2 import CANCEL, GOAWAY, HEADERS, RST_STREAM, Frame, Http2, settings, window
from support.php import require_php
from support.pools import run, until
from support.server import Server, free_port
from support.tls import Authority

WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"
LARGE = 50_000_000  # bytes; more than the kernel's buffers take
WIDE_OPEN = settings(initial_window_size=(1 << 31) - 1) + window(0, (1 << 31) - 1 - 65_535)
KINDS = ["HTTP/1.1 over TLS", "HTTP/2 over TLS", "h2c"]


class Ports:
    """Where to connect, and with which authority."""

    def __init__(self, plain: tuple[str, int], tls: tuple[str, int], authority: Authority) -> None:
        self._plain = plain
        self._tls = tls
        self._authority = authority

    def connections(self) -> int:
        """The open connections of this process to both ports."""
        return sum(count_connections(port) for _, port in (self._plain, self._tls))

    async def all_closed(self) -> bool:
        return self.connections() == 0

    def ask(self, kind: str, path: str) -> socket.socket:
        """Send a request, read the first bytes of the response, and return the connection."""
        if kind == "HTTP/1.1 over TLS":
            raw = socket.socket()
            raw.settimeout(20)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(self._tls)
            client = self._authority.context().wrap_socket(raw, server_hostname="localhost")
            client.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
            assert client.recv(12) == b"HTTP/1.1 200"
            return client
        http2 = self.open(kind, WIDE_OPEN, receive_bytes=4096)
        http2.request(1, path)
        assert http2.until((HEADERS,)) is not None
        return http2.socket

    def open(self, kind: str, opening: bytes = settings(), *, receive_bytes: int = 0) -> Http2:
        tls = self._authority.context(alpn="h2") if kind == "HTTP/2 over TLS" else None
        address = self._plain if tls is None else self._tls
        return Http2(address, tls, opening=opening, receive_bytes=receive_bytes)


@asynccontextmanager
async def served(folder: Path, app: ASGIApp, *, write_timeout: float) -> AsyncIterator[Ports]:
    """The application on both ports."""
    authority = Authority(folder)
    identity = authority.server()
    files = TlsFiles(str(identity.cert), str(identity.key))
    bound = [BoundSockets(TcpAddress("127.0.0.1", 0)) for _ in range(2)]
    addresses = [("127.0.0.1", one.port) for one in bound]
    listeners = [
        HttpListener(app, one, tls=tls, limits=Limits(write_timeout=write_timeout))
        for one, tls in zip(bound, (None, files), strict=True)
    ]
    for one in listeners:
        await one.start()
    try:
        yield Ports(addresses[0], addresses[1], authority)
    finally:
        for one in listeners:
            one.refuse()
            await one.finish(0)


async def whole(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(LARGE)})


async def streamed(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(LARGE // 1_000_000):
        await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("app", [whole, streamed])
@pytest.mark.parametrize("kind", KINDS)
def test_a_response_without_progress_is_given_up(tmp_path: Path, kind: str, app: ASGIApp) -> None:
    async def main() -> None:
        async with served(tmp_path, app, write_timeout=1.0) as ports:
            with await asyncio.to_thread(ports.ask, kind, "/"):
                assert ports.connections() == 1
                await until(ports.all_closed)

    run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_a_response_with_progress_has_the_time_it_needs(tmp_path: Path, kind: str) -> None:
    def read(client: socket.socket) -> int:
        """Slowly for three times the timeout, then all."""
        found = 0
        until = time.monotonic() + 6
        while time.monotonic() < until:
            found += len(client.recv(65_536))
            time.sleep(0.1)
        while found < LARGE and (more := client.recv(1 << 20)):
            found += len(more)
        return found

    async def main() -> None:
        async with served(tmp_path, whole, write_timeout=2.0) as ports:
            with await asyncio.to_thread(ports.ask, kind, "/") as client:
                assert await asyncio.to_thread(read, client) >= LARGE

    run(main())


@pytest.mark.parametrize("kind", ["HTTP/2 over TLS", "h2c"])
def test_a_stream_whose_window_stays_closed_is_reset(tmp_path: Path, kind: str) -> None:
    """The client reads all frames, and lets the server send no more."""

    def last(ports: Ports) -> Frame | None:
        with ports.open(kind) as client:
            client.request(1, "/")
            return client.until((RST_STREAM, GOAWAY))

    async def main() -> None:
        async with served(tmp_path, whole, write_timeout=1.0) as ports:
            reset = await asyncio.to_thread(last, ports)
            assert reset is not None
            assert (reset.kind, reset.stream, reset.error) == (RST_STREAM, 1, CANCEL)

    run(main())


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Server, Ports]]:
    """The real server, with a grace period of one second."""
    authority = Authority(folder)
    identity = authority.server()
    tls = ("127.0.0.1", free_port())
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {
            "pool": {"num_workers": 1},
            "http2": {"h2c": True},
            "ssl": {"address": f"127.0.0.1:{tls[1]}", "cert": str(identity.cert), "key": str(identity.key)},
        },
        "endure": {"grace_period": "1s"},
    }
    with Server(folder, config) as server:
        yield server, Ports(server.address, tls, authority)


@pytest.mark.parametrize("path", [f"/zeros?size={LARGE}", f"/large?size={LARGE}"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_does_not_wait_for_a_client_that_does_not_read(tmp_path: Path, kind: str, path: str) -> None:
    with serving(tmp_path) as (server, ports), ports.ask(kind, path):
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
