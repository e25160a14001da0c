"""Clients that break the rules of gRPC or HTTP/2, frame by frame, on the real ``rr serve``."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.grpc_site import GrpcSite
from support.http2 import (
    CONTINUATION,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    Frame,
    Http2,
    field,
    frame,
    get,
    headers,
    reset,
)

GRPC = (field("content-type", "application/grpc"), field("te", "trailers"))
HELLO = b"\0\0\0\0\x05hello"
_STATUS = re.compile(rb"\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f.([0-9]+)", re.DOTALL)  # "grpc-status" in Huffman code


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrpcSite]:
    with GrpcSite(tmp_path_factory.mktemp("grpc"), sections={"endure": {"grace_period": "1s"}}) as site:
        yield site


@pytest.fixture
def raw(site: GrpcSite) -> Iterator[Http2]:
    no_table = frame(SETTINGS, payload=b"\0\x01\0\0\0\0")  # so that each response spells its fields out
    with Http2(("127.0.0.1", site.port), opening=no_table) as raw:
        yield raw
    with site.client() as client:
        assert client.ask("Echo", b"others are served") == b"others are served"


def send(raw: Http2, stream: int, body: bytes | None, *fields: bytes, method: str = "Echo", end: bool = True) -> None:
    raw.request(stream, f"/test.Worker/{method}", *(fields or GRPC), method="POST", end=body is None)
    if body is not None:
        raw.send(frame(DATA, END_STREAM if end else 0, stream, body))


def last(raw: Http2, stream: int) -> Frame:
    """The frame that ends a stream."""
    for one in raw.frames():
        if one.stream == stream and (one.flags & END_STREAM or one.kind == RST_STREAM):
            return one
    raise ConnectionError("the server has closed the connection")


def status(raw: Http2, stream: int) -> int:
    """The ``grpc-status`` that ends a stream."""
    end = last(raw, stream)
    found = _STATUS.search(end.payload)
    assert found is not None, end
    return int(found[1])


@pytest.mark.parametrize(
    ("body", "fields", "code"),
    [
        (HELLO, (), 0),
        (b"\0\0\0\0\0", (), 0),
        (None, (), 12),  # HEADERS with END_STREAM
        (b"", (), 12),
        (HELLO + HELLO, (), 12),
        (HELLO[:-1], (), 13),
        (HELLO[:3], (), 13),
        (HELLO + b"\0", (), 13),
        (b"\x07" + HELLO[1:], (), 13),
        (b"\x01" + HELLO[1:], (), 13),
        (b"\x01" + HELLO[1:], (field("grpc-encoding", "gzip"),), 13),
        (HELLO, (field("grpc-encoding", "gzip"),), 0),
        (HELLO, (field("grpc-encoding", "br"),), 12),
        (b"\0\xff\xff\xff\xff", (), 8),
        (HELLO, (field("a-bin", "***"),), 13),
        (HELLO, (field("a-bin", "AAA,AAA="),), 0),
        (HELLO, (field("grpc-timeout", "1x"),), 13),
        (HELLO, (field("grpc-timeout", "0n"),), 4),
        (HELLO, (field("grpc-timeout", "99999999H"),), 0),
    ],
)
def test_a_request_ends_with_a_status(raw: Http2, body: bytes | None, fields: tuple[bytes, ...], code: int) -> None:
    send(raw, 1, body, *GRPC, *fields)
    assert status(raw, 1) == code
    send(raw, 3, HELLO)
    assert status(raw, 3) == 0


def test_a_message_may_arrive_byte_by_byte(raw: Http2) -> None:
    raw.request(1, "/test.Worker/Echo", *GRPC, method="POST", end=False)
    for at in range(len(HELLO)):
        raw.send(frame(DATA, 0, 1, HELLO[at : at + 1]))
    raw.send(frame(DATA, END_STREAM, 1))
    assert status(raw, 1) == 0


def test_a_request_without_te_can_not_get_trailers_and_is_told(raw: Http2) -> None:
    send(raw, 1, HELLO, GRPC[0])
    assert status(raw, 1) == 13


def test_other_content_types_get_415_and_other_methods_405(raw: Http2) -> None:
    send(raw, 1, HELLO, field("content-type", "application/json"), GRPC[1])
    end = last(raw, 1)
    assert end.status == 415
    found = _STATUS.search(end.payload)
    assert found is not None
    assert found[1] == b"3"
    raw.request(3, "/test.Worker/Echo", *GRPC)
    assert raw.status(3) == 405


def test_http1_is_told_to_use_http2(site: GrpcSite) -> None:
    request = (
        b"POST /test.Worker/Echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as plain:
        plain.sendall(request)
        assert plain.recv(100).startswith(b"HTTP/1.1 505 ")


def test_the_subtype_of_the_content_is_kept_and_parameters_are_not(raw: Http2) -> None:
    send(raw, 1, HELLO, field("content-type", "application/grpc+proto; charset=utf-8"), GRPC[1])
    assert status(raw, 1) == 0


def test_a_path_without_its_slash_is_served(raw: Http2) -> None:
    block = b"".join(
        (
            field(":method", "POST"),
            field(":scheme", "http"),
            field(":authority", "a"),
            field(":path", "test.Worker/Echo"),
        )
    )
    raw.send(headers(1, block + b"".join(GRPC), end=False) + frame(DATA, END_STREAM, 1, HELLO))
    end = last(raw, 1)
    assert end.kind == RST_STREAM or _STATUS.search(end.payload)  # HTTP/2 itself forbids such a path


def test_a_client_that_leaves_in_the_middle_of_a_message_costs_no_worker(site: GrpcSite, raw: Http2) -> None:
    send(raw, 1, HELLO[:6], end=False)
    raw.send(reset(1))
    send(raw, 3, HELLO)
    assert status(raw, 3) == 0


def test_the_number_of_streams_is_announced(tmp_path: Path) -> None:
    with GrpcSite(tmp_path, max_concurrent_streams=3) as site, Http2(("127.0.0.1", site.port)) as raw:
        settings = raw.until((SETTINGS,))
        assert settings is not None
        assert b"\0\x03\0\0\0\x03" in settings.payload


def flood(raw: Http2, data: bytes, times: int) -> None:
    """Send it again and again until the server closes the connection, without reading."""
    try:
        for _ in range(times):
            raw.send(data)
    except OSError:
        pass


def peak_mb(site: GrpcSite) -> int:
    lines = Path(f"/proc/{site.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def test_a_bomb_of_headers_is_refused(site: GrpcSite, raw: Http2) -> None:
    block = get("/test.Worker/Echo", *GRPC, field("a", "x" * 4000, index=True), method="POST")
    raw.send(headers(1, block + b"\xbe" * 10_000))  # 40 MB on one page
    end = last(raw, 1)
    assert end.kind == RST_STREAM or end.status == 431
    assert peak_mb(site) < 200


@pytest.mark.parametrize("control", [frame(PING, payload=bytes(8)), frame(SETTINGS)], ids=["ping", "settings"])
def test_a_flood_of_control_frames_ends_the_connection(site: GrpcSite, raw: Http2, control: bytes) -> None:
    before = peak_mb(site)
    flood(raw, control * 1000, 2000)
    assert peak_mb(site) < before + 100


def test_a_flood_of_continuations_ends_the_connection(site: GrpcSite, raw: Http2) -> None:
    before = peak_mb(site)
    raw.send(frame(HEADERS, 0, 1, get("/test.Worker/Echo", *GRPC, method="POST")))
    flood(raw, frame(CONTINUATION, 0, 1, field("a", "x" * 8000)), 2000)
    assert peak_mb(site) < before + 50


def test_a_flood_of_resets_ends_the_connection(site: GrpcSite, raw: Http2) -> None:
    before = peak_mb(site)
    block = get("/test.Worker/Echo", *GRPC, method="POST")
    try:
        for stream in range(1, 4001, 2):
            raw.send(headers(stream, block, end=False) + reset(stream))
        end = raw.until((GOAWAY,))
        assert end is None or end.error == 11
    except OSError:
        pass
    assert peak_mb(site) < before + 50
