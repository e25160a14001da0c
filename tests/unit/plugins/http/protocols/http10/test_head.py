"""Valid and malformed HTTP/1.0 heads."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.plugins.http.protocols.http10.head import BadRequest, answer, parse, refusal
from support.asgi import Exchange, ScriptedPool, worker_app

CLIENT = ("192.0.2.7", 5555)
SERVER = ("127.0.0.1", 8080)


def context(head: bytes) -> dict[str, Any]:
    pool = ScriptedPool()
    Exchange(parse(head, CLIENT, SERVER).scope).run(worker_app(pool))
    return pool.context


@pytest.mark.parametrize(
    ("head", "uri"),
    [
        (b"GET /a%20b?x=1 HTTP/1.0\r\nHost: ex.com:81", "http://ex.com:81/a%20b?x=1"),
        (b"GET / HTTP/1.0", "http://127.0.0.1:8080/"),
        (b"GET http://ex.com/x HTTP/1.0\r\nHost: other", "http://ex.com/x"),
        (b"GET http://ex.com HTTP/1.0", "http://ex.com/"),
        ("GET /é HTTP/1.0\r\nHost: a".encode(), "http://a/%C3%A9"),
    ],
)
def test_a_request_as_the_worker_sees_it(head: bytes, uri: str) -> None:
    told = context(head)
    assert (told["uri"], told["protocol"], told["remoteAddr"]) == (uri, "HTTP/1.0", "192.0.2.7")


def test_headers_are_trimmed_and_kept_in_order() -> None:
    head = b"GET / HTTP/1.0\r\nHost: a\r\nX-Foo:  b c \t\r\nx-foo:d\r\nX-Empty:"
    assert context(head)["headers"] == {"X-Foo": ["b c", "d"], "X-Empty": [""]}


def test_the_length_of_the_body_and_whether_the_connection_is_kept() -> None:
    first = parse(
        b"POST / HTTP/1.0\r\nContent-Length: 3\r\nContent-Length: 3\r\nConnection: Keep-Alive", CLIENT, SERVER
    )
    assert (first.length, first.keep) == (3, True)
    second = parse(b"GET / HTTP/1.0\r\nConnection: close", None, None)
    assert (second.length, second.keep) == (0, False)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET /",
        b"GET / HTTP/1.1",
        b"GET  / HTTP/1.0",
        b"GET /a b HTTP/1.0",
        b"GET\t/ HTTP/1.0",
        b"GE(T / HTTP/1.0",
        b"GET x HTTP/1.0",
        b"GET * HTTP/1.0",
        b"GET /\x01 HTTP/1.0",
        b"GET ftp://a/ HTTP/1.0",
        b"GET / HTTP/1.0\r\nno colon",
        b"GET / HTTP/1.0\r\nX : a",
        b"GET / HTTP/1.0\r\n: a",
        b"GET / HTTP/1.0\r\n X: a",
        b"GET / HTTP/1.0\r\nX: a\r\n b",
        b"GET / HTTP/1.0\r\nX: a\nY: b",
        b"GET / HTTP/1.0\r\nX: a\rY: b",
        b"GET / HTTP/1.0\r\nX: a\0b",
        "GET / HTTP/1.0\r\né: a".encode(),
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: a",
        b"GET / HTTP/1.0\r\nHost: a b",
        b"GET / HTTP/1.0\r\nHost: a@b",
        b"POST / HTTP/1.0\r\nContent-Length: +3",
        b"POST / HTTP/1.0\r\nContent-Length: 0x3",
        b"POST / HTTP/1.0\r\nContent-Length: 3, 3",
        b"POST / HTTP/1.0\r\nContent-Length: ",
        b"POST / HTTP/1.0\r\nContent-Length: 3\r\nContent-Length: 4",
        b"POST / HTTP/1.0\r\nContent-Length: 99999999999999999999",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: identity\r\nContent-Length: 3",
    ],
)
def test_malformed_heads_are_refused(head: bytes) -> None:
    with pytest.raises(BadRequest):
        parse(head, CLIENT, SERVER)


@pytest.mark.parametrize(
    ("status", "headers", "wanted", "kept"),
    [
        (200, [(b"content-length", b"3")], True, True),
        (200, [(b"content-length", b"3")], False, False),
        (200, [], True, False),  # only the end of the connection ends this body
        (304, [], True, True),
        (200, [(b"content-length", b"3"), (b"Connection", b"close")], True, False),
    ],
)
def test_a_connection_is_kept_if_both_sides_want_it_and_the_length_is_known(
    status: int, headers: list[tuple[bytes, bytes]], wanted: bool, kept: bool
) -> None:
    head, keep = answer({"status": status, "headers": headers}, keep=wanted)
    assert keep is kept
    assert head.endswith((b"connection: keep-alive" if kept else b"connection: close") + b"\r\n\r\n")


def test_a_response_has_the_version_of_its_request_and_no_transfer_encoding() -> None:
    head, _ = answer({"status": 404, "headers": [(b"Transfer-Encoding", b"chunked"), (b"X", b"y")]}, keep=False)
    assert head == b"HTTP/1.0 404 Not Found\r\nx: y\r\nconnection: close\r\n\r\n"
    assert refusal(400) == b"HTTP/1.0 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
