"""Clients that abuse HTTP/2, in plain (h2c) and over TLS, on the real ``rr serve``: they cost the server little, and
other clients are served."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FIRST_OF_THE_DYNAMIC_TABLE,
    GOAWAY,
    HEADERS,
    PING,
    SETTINGS,
    Http2,
    field,
    frame,
    get,
    headers,
    reset,
    settings,
    window,
)
from support.php import require_php
from support.server import Server, free_port
from support.tls import Authority

WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"
STREAMS = 128  # what one connection may have at once


class Door:
    """One of the server's ports that serve HTTP/2."""

    def __init__(self, server: Server, address: tuple[str, int], authority: Authority | None) -> None:
        self.server = server
        self.address = address
        self.authority = authority
        self.tls = authority.context(alpn="h2") if authority is not None else None
        self.gate = server.folder / "gate"

    def open(self, *, opening: bytes = frame(SETTINGS), receive_bytes: int = 0) -> Http2:
        return Http2(self.address, self.tls, opening=opening, receive_bytes=receive_bytes)

    @property
    def http1(self) -> ssl.SSLContext:
        assert self.authority is not None
        return self.authority.context()

    def serves(self) -> bool:
        with self.open() as client:
            client.request(1, "/pid")
            return client.status(1) == 200

    @property
    def peak_mb(self) -> int:
        """The most memory that the server has used."""
        lines = Path(f"/proc/{self.server.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


@contextmanager
def serving(folder: Path, kind: str, workers: int = 1) -> Iterator[Door]:
    """Serve on both ports; ``kind`` is ``h2c`` or ``tls``."""
    authority = Authority(folder)
    identity = authority.server()
    port = free_port()
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {
            "pool": {"num_workers": workers},
            "http2": {"h2c": True},
            "ssl": {"address": f"127.0.0.1:{port}", "cert": str(identity.cert), "key": str(identity.key)},
        },
        "logs": {"mode": "production", "output": "stderr", "level": "warn"},
        "endure": {"grace_period": "1s"},
    }
    with Server(folder, config) as server:
        if kind == "h2c":
            yield Door(server, server.address, None)
        else:
            yield Door(server, ("127.0.0.1", port), authority)


@pytest.fixture(params=["h2c", "tls"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    with serving(tmp_path, request.param) as door:
        yield door


def flood(client: Http2, data: bytes, times: int) -> None:
    """Send it again and again until the server closes the connection, without reading."""
    try:
        for _ in range(times):
            client.send(data)
    except (OSError, ssl.SSLError):
        pass


def test_a_header_list_may_have_128_kilobytes(door: Door) -> None:
    with door.open() as client:
        client.request(1, "/pid", field("a", "x" * 60_000), field("b", "x" * 60_000))
        assert client.status(1) == 200
        client.request(3, "/pid", field("a", "x" * 60_000), field("b", "x" * 72_000))
        assert client.status(3) == 431
        client.request(5, "/pid")
        assert client.status(5) == 200


def test_references_to_one_large_header_need_little_memory(door: Door) -> None:
    """One byte of HPACK stands for a header of 4 KB."""
    clients = [door.open() for _ in range(3)]
    for client in clients:
        client.request(1, f"/wait?for={door.gate}", field("a", "x" * 4000, index=True))
        bomb = get(f"/wait?for={door.gate}", scheme=client.scheme) + 250 * FIRST_OF_THE_DYNAMIC_TABLE
        for stream in range(3, 2 * STREAMS, 2):
            client.send(headers(stream, bomb))
    for client in clients:
        assert client.status(2 * STREAMS - 1) == 431
    assert door.peak_mb < 150
    door.gate.touch()
    for client in clients:
        assert client.status(1) == 200
        client.socket.close()


def test_as_many_references_as_allowed_need_bounded_memory(door: Door) -> None:
    clients = [door.open() for _ in range(3)]
    for client in clients:
        client.request(1, f"/wait?for={door.gate}", field("a", "x" * 4000, index=True))
        full = get(f"/wait?for={door.gate}", scheme=client.scheme) + 28 * FIRST_OF_THE_DYNAMIC_TABLE
        for stream in range(3, 2 * STREAMS, 2):
            client.send(headers(stream, full))
        client.send(frame(PING, 0, 0, b"12345678"))
    for client in clients:
        assert client.until((PING,)) is not None
    door.gate.touch()
    for client in clients:
        assert client.status(2 * STREAMS - 1) == 200
        client.socket.close()
    assert door.peak_mb < 400


@pytest.mark.parametrize(
    "control", [frame(PING, 0, 0, b"12345678"), frame(SETTINGS), settings(initial_window_size=1 << 20)]
)
def test_a_flood_of_control_frames_without_reading_ends_the_connection(door: Door, control: bytes) -> None:
    with door.open(receive_bytes=4096) as client:
        before = door.peak_mb
        flood(client, control * 1000, 5000)
        assert door.serves()
        assert client.until(()) is None
        assert door.peak_mb < before + 30


def test_an_endless_header_block_ends_the_connection(door: Door) -> None:
    with door.open() as client:
        client.send(frame(HEADERS, END_STREAM, 1, get("/pid", scheme=client.scheme)))
        flood(client, frame(CONTINUATION, 0, 1, field("a", "x" * 10_000)), 1000)
        assert client.until(()) is None
    assert door.serves()
    assert door.peak_mb < 100


def test_endless_empty_continuations_occupy_no_memory(door: Door) -> None:
    with door.open() as client:
        client.send(frame(HEADERS, END_STREAM, 1, get("/pid", scheme=client.scheme)))
        flood(client, frame(CONTINUATION, 0, 1) * 1000, 1000)
        assert door.serves()
        assert door.peak_mb < 100
        client.send(frame(CONTINUATION, END_HEADERS, 1))
        assert client.status(1) == 200


def cancelled(client: Http2, stream: int, path: str) -> tuple[bytes, bytes]:
    """A request, and what resets its stream: the client does so itself."""
    return headers(stream, get(path, scheme=client.scheme)), reset(stream)


def zero_increment(client: Http2, stream: int, path: str) -> tuple[bytes, bytes]:
    """The server must reset the stream (RFC 9113, section 6.9)."""
    return headers(stream, get(path, scheme=client.scheme)), window(stream, 0)


def longer_than_announced(client: Http2, stream: int, path: str) -> tuple[bytes, bytes]:
    """The server must reset the stream (RFC 9113, section 8.1.1)."""
    block = get(path, field("content-length", "1"), scheme=client.scheme, method="POST")
    return headers(stream, block, end=False), frame(DATA, 0, stream, b"123")


RESETS = [cancelled, zero_increment, longer_than_announced]
Resets = Callable[[Http2, int, str], tuple[bytes, bytes]]


@pytest.mark.parametrize("resets", RESETS)
def test_a_client_whose_streams_are_all_reset_loses_its_connection(door: Door, resets: Resets) -> None:
    with door.open() as other, door.open() as client:
        other.request(1, f"/wait?for={door.gate}")
        for stream in range(1, 4000, 2):
            request, wrong = resets(client, stream, "/pid")
            try:
                client.send(request + frame(PING, 0, 0, b"12345678"))
                if client.until((PING, GOAWAY)) is None:
                    break
                client.send(wrong)
            except OSError:
                break
        else:
            assert client.until((GOAWAY,)) is not None
        door.gate.touch()
        assert other.status(1) == 200
    assert door.serves()


@pytest.mark.parametrize("resets", RESETS)
def test_a_flood_of_streams_that_are_reset_needs_no_memory(door: Door, resets: Resets) -> None:
    """All at once: most of these requests are over before they reach the application."""
    with door.open(receive_bytes=4096) as client:
        many = b"".join(b"".join(resets(client, stream, "/pid")) for stream in range(1, 40_000, 2))
        flood(client, many, 1)
        assert door.serves()
    assert door.peak_mb < 100


def test_a_client_that_cancels_some_requests_keeps_its_connection(door: Door) -> None:
    with door.open() as client:
        for stream in range(1, 200, 2):
            client.send(b"".join(cancelled(client, stream, "/pid")))
        client.request(201, "/pid")
        assert client.status(201) == 200


@pytest.mark.parametrize("kind", ["h2c", "tls"])
def test_large_pieces_of_a_response_are_not_queued_for_a_client_that_does_not_read(tmp_path: Path, kind: str) -> None:
    with serving(tmp_path, kind, workers=2) as door, door.open(receive_bytes=4096) as client, door.open() as other:
        client.send(window(0, (1 << 31) - 1 - 65_535) + settings(initial_window_size=(1 << 31) - 1))
        client.request(1, "/chunks?count=40&size=20000000")
        assert client.until((HEADERS,)) is not None
        other.request(1, "/slow?ms=1500")
        assert other.status(1) == 200
        assert door.peak_mb < 200


def test_large_pieces_are_not_queued_on_http1_over_tls(tmp_path: Path) -> None:
    with serving(tmp_path, "tls", workers=2) as door, door.open() as other, socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(door.address)
        with door.http1.wrap_socket(raw, server_hostname="localhost") as client:
            client.sendall(b"GET /chunks?count=40&size=20000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
            other.request(1, "/slow?ms=1500")
            assert other.status(1) == 200
            assert door.peak_mb < 200
