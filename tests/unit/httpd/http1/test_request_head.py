"""Heads of requests: what is read from them, and what is refused."""

from __future__ import annotations

import pytest

from pyroadrunner.httpd.http1.refusals import Refusal
from pyroadrunner.httpd.http1.request_head import UNKNOWN, RequestHead, parse


def head(*lines: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes | None = b"Host: a") -> RequestHead:
    return parse(b"\r\n".join([line, *([host] if host is not None else []), *lines, b"", b""]))


def refused(*lines: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes | None = b"Host: a") -> Refusal:
    with pytest.raises(Refusal) as found:
        head(*lines, line=line, host=host)
    return found.value


def test_what_a_head_says() -> None:
    found = head(b"X-Y:  b c ", b"x-y:d", line=b"POST /a%20b?c=d HTTP/1.1")
    assert (found.method, found.path, found.query, found.minor) == ("POST", b"/a%20b", b"c=d", 1)
    assert found.headers() == [(b"host", b"a"), (b"x-y", b"b c"), (b"x-y", b"d")]
    assert (found.fields.length, found.keep) == (0, True)
    assert not found.fields.expects_continue
    assert not found.fields.trailers
    assert "POST" in repr(found)


@pytest.mark.parametrize("blank", [b" ", b"\t", b" \t "])
def test_blanks_around_a_value_do_not_belong_to_it(blank: bytes) -> None:
    found = head(
        b"Content-Length:" + blank + b"3" + blank,
        b"Connection:" + blank + b"close" + blank + b"," + blank + b"x",
        b"X:" + blank,
        host=b"Host:" + blank + b"a" + blank,
    )
    assert (found.fields.length, found.keep) == (3, False)
    assert dict(found.headers())[b"host"] == b"a"
    assert dict(found.headers())[b"x"] == b""


def test_two_heads_do_not_share_their_headers() -> None:
    first, second = head(b"X: y"), head(b"X: y")
    first.headers().append((b"added", b"1"))
    assert second.headers() == [(b"host", b"a"), (b"x", b"y")]
    assert head(b"X: y").headers() == second.headers()


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        ((), 0),
        ((b"Content-Length: 0",), 0),
        ((b"content-length: 007",), 7),
        ((b"Content-Length: 3", b"content-length: 3"), 3),
        ((b"Transfer-Encoding: Chunked",), UNKNOWN),
    ],
)
def test_the_length_of_a_body(lines: tuple[bytes, ...], length: int) -> None:
    assert head(*lines).fields.length == length


@pytest.mark.parametrize(
    ("version", "option", "keep"),
    [
        (b"1.1", None, True),
        (b"1.1", b"close", False),
        (b"1.1", b"Keep-Alive, CLOSE", False),
        (b"1.1", b"closed", True),
        (b"1.0", None, False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
        (b"1.0", b"x,\tkeep-alive", True),
    ],
)
def test_whether_the_client_keeps_the_connection(version: bytes, option: bytes | None, keep: bool) -> None:
    lines = [b"Connection: " + option] if option is not None else []
    assert head(*lines, line=b"GET / HTTP/" + version).keep is keep


def test_options_of_several_lines_count() -> None:
    assert not head(b"Connection: x", b"Connection: close", b"Connection: y").keep


def test_the_connection_is_not_kept_if_the_client_may_speak_another_protocol() -> None:
    assert not head(b"Connection: Upgrade", b"Upgrade: websocket").keep
    assert head(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c").keep
    assert head(b"Upgrade: h2c").keep
    assert head(b"Connection: Upgrade").keep


def test_the_authority_of_an_absolute_target_replaces_the_host() -> None:
    found = head(b"X: y", line=b"GET http://b:1/c?d HTTP/1.1")
    assert (found.path, found.query) == (b"/c", b"d")
    assert found.headers() == [(b"host", b"b:1"), (b"x", b"y")]
    assert dict(head(line=b"GET http://b/ HTTP/1.1", host=None).headers())[b"host"] == b"b"


def test_what_the_client_expects_and_accepts() -> None:
    assert head(b"Expect: 100-Continue").fields.expects_continue
    assert head(b"TE: gzip, Trailers").fields.trailers
    assert refused(b"Expect: 200-ok").status == 417


def test_http_10_needs_no_host() -> None:
    assert head(line=b"GET / HTTP/1.0", host=None).headers() == []


@pytest.mark.parametrize(
    ("line", "status", "kind"),
    [
        (b"", 400, "line"),
        (b"GET", 400, "line"),
        (b"GET /", 400, "line"),
        (b"GET / HTTP/1.1 ", 400, "line"),
        (b" GET / HTTP/1.1", 400, "line"),
        (b"GET /\xff\x00 HTTP/1.1", 400, "line"),
        (b"G(T / HTTP/1.1", 400, "line"),
        (b"GET / HTTP/1.10", 400, "line"),
        (b"GET / HTTP/2.0", 505, "version"),
        (b"GET / HTTP/0.9", 505, "version"),
        (b"PRI * HTTP/2.0", 505, "version"),
        (b"CONNECT a:80 HTTP/1.1", 400, "target"),
        (b"GET * HTTP/1.1", 400, "target"),
        (b"GET /%x HTTP/1.1", 400, "target"),
        (b"GET http://u@a/ HTTP/1.1", 400, "host"),
    ],
)
def test_a_request_line_that_is_refused(line: bytes, status: int, kind: str) -> None:
    refusal = refused(line=line)
    assert (refusal.status, refusal.kind) == (status, kind)


@pytest.mark.parametrize(
    ("lines", "status", "kind"),
    [
        ((b"X: a\nY: b",), 400, "line"),
        ((b"X: a\rY: b",), 400, "header"),
        ((b"X",), 400, "header"),
        ((b"X : a",), 400, "header"),
        ((b"X: a", b" b"), 400, "header"),
        ((b"X: a\0",), 400, "header"),
        ((b"Host: a",), 400, "header"),
        ((b"Content-Length: 1", b"Content-Length: 2"), 400, "header"),
        ((b"Content-Length: 1", b"Transfer-Encoding: chunked"), 400, "header"),
        ((b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400, "header"),
        ((b"Content-Length: 1234567890123456789",), 400, "header"),
        ((b"X: y",) * 10_000, 431, "size"),
    ],
)
def test_header_lines_that_are_refused(lines: tuple[bytes, ...], status: int, kind: str) -> None:
    refusal = refused(*lines)
    assert (refusal.status, refusal.kind) == (status, kind)


def test_a_refused_head_is_refused_again() -> None:
    for _ in range(2):
        assert refused(b"X: a\0").status == 400


def test_a_malformed_or_missing_host_is_refused() -> None:
    assert refused(host=None).kind == refused(host=b"Host: a b").kind == refused(host=b"Host: a/b").kind == "host"
    assert refused(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0").status == 400
