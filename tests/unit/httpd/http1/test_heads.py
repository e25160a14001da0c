"""Heads of requests and first lines of responses."""

from __future__ import annotations

import pytest

from pyroadrunner.httpd.http1.refusals import Refusal
from pyroadrunner.httpd.http1.request_head import parse
from pyroadrunner.httpd.http1.response_head import status_line


def head(target: bytes = b"/", *lines: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: ex.com\r\n" % target + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


@pytest.mark.parametrize("target", [b"http://", b"http:///", b"http:///a", b"https://?a", b"http://:80/a"])
def test_an_absolute_target_without_a_host_is_refused(target: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse(head(target))
    assert (refused.value.status, refused.value.kind) == (400, "host")


def test_the_host_of_an_absolute_target_counts() -> None:
    assert parse(head(b"http://other.org:81/a")).headers() == [(b"host", b"other.org:81")]
    assert parse(head(b"http://[::1]/a")).headers() == [(b"host", b"[::1]")]


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (200, "OK"),
        (413, "Request Entity Too Large"),
        (414, "Request URI Too Long"),
        (416, "Requested Range Not Satisfiable"),
        (418, "I'm a teapot"),
        (419, "Page Expired"),
        (422, "Unprocessable Entity"),
        (599, "status code 599"),
    ],
)
def test_reason_phrases_are_those_of_go_in_every_version_of_python(status: int, phrase: str) -> None:
    assert status_line(status) == f"HTTP/1.1 {status} {phrase}\r\n".encode()
    assert status_line(status, 0) == f"HTTP/1.0 {status} {phrase}\r\n".encode()


@pytest.mark.parametrize(
    ("lines", "keep"),
    [
        ((b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"), True),
        ((b"Connection: upgrade", b"Upgrade: H2C"), True),
        ((b"Connection: Upgrade, close", b"Upgrade: h2c"), False),
        ((b"Connection: Upgrade", b"Upgrade: websocket"), False),
        ((b"Connection: Upgrade", b"Upgrade: h2c, websocket"), False),
        ((b"Connection: Upgrade", b"Upgrade: h2c", b"Upgrade: websocket"), False),
    ],
)
def test_an_offer_of_http2_does_not_cost_the_connection(lines: tuple[bytes, ...], keep: bool) -> None:
    assert parse(head(b"/", *lines)).keep is keep
