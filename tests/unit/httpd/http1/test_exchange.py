"""Responses as they are written: framing, versions, interim responses, trailers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from pyroadrunner.asgi import Message, Receive, Scope, Send
from pyroadrunner.httpd.limits import Limits
from support.http1 import POST, Wire, answers, body, start
from support.virtual_time import run_virtual, turns

DATE = re.compile(rb"Date: [^\r]+\r\n")


def response(
    *messages: Message, method: bytes = b"GET", minor: int = 1, lines: Sequence[bytes] = ()
) -> tuple[bytes, bool]:
    """What a client reads, without the date; and whether the connection is closed."""

    async def main() -> tuple[bytes, bool]:
        client = Wire(answers(*messages), Limits())
        line = method + b" / HTTP/1.%d" % minor
        client.send(b"\r\n".join([line, b"Host: a", *lines, b"", b""]))
        await turns(20)
        text, count = DATE.subn(b"", client.received)
        assert count <= 1
        return text, client.closed

    return run_virtual(main())


KEEP = b"Connection: keep-alive"
CLOSE = b"Connection: close"
OK1, OK0 = b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n"


def test_a_whole_response_gets_its_length() -> None:
    assert response(start(), body(b"abc")) == (OK1 + b"Content-Length: 3\r\n\r\nabc", False)


def test_a_stream_is_chunked() -> None:
    text = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n"
    assert response(start(), body(b"abc", True), body(b"", True), body(b"0123456789")) == (OK1 + text, False)


def test_a_stream_with_a_length_is_not_chunked() -> None:
    messages = (start(200, (b"content-length", b"5")), body(b"abc", True), body(b"de"))
    assert response(*messages) == (OK1 + b"Content-Length: 5\r\n\r\nabcde", False)


def test_a_body_is_never_longer_than_announced() -> None:
    messages = (start(200, (b"content-length", b"4")), body(b"abc", True), body(b"de", True), body(b"f"))
    assert response(*messages) == (OK1 + b"Content-Length: 4\r\n\r\nabcd", False)


def test_large_bodies_are_written_whole() -> None:
    data = bytes(range(256)) * 1000
    assert response(start(), body(data))[0].endswith(b"\r\n\r\n" + data)
    assert b"3e800\r\n" + data + b"\r\n" in response(start(), body(data, True), body())[0]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ((start(200, (b"content-length", b"3")), body(b"abc")), OK1 + b"Content-Length: 3\r\n\r\n"),
        ((start(200, (b"content-length", b"9")), body()), OK1 + b"Content-Length: 9\r\n\r\n"),
        ((start(), body(b"abc", True), body(b"d")), OK1 + b"\r\n"),
    ],
)
def test_a_head_request_gets_no_body_and_keeps_the_connection(messages: tuple[Message, ...], expected: bytes) -> None:
    assert response(*messages, method=b"HEAD") == (expected, False)


@pytest.mark.parametrize("more", [True, False])
@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(status: int, more: bool) -> None:
    messages = (start(status), body(b"stray", more), body(b"stray"))
    text, closed = response(*messages)
    assert text.startswith(b"HTTP/1.1 %d " % status)
    assert text.endswith(b"\r\n\r\n")
    assert b"stray" not in text
    assert b"Transfer-Encoding" not in text
    assert not closed


def test_204_has_no_length_and_304_may_have_one() -> None:
    length = (b"content-length", b"7")
    assert b"Length" not in response(start(204, length), body())[0]
    assert b"Content-Length: 7\r\n" in response(start(304, length), body())[0]


def test_a_connection_of_http_10_closes_unless_the_client_keeps_it() -> None:
    text = OK0 + b"Content-Length: 3\r\nConnection: close\r\n\r\nabc"
    assert response(start(), body(b"abc"), minor=0) == (text, True)
    text = text.replace(CLOSE, KEEP)
    assert response(start(), body(b"abc"), minor=0, lines=[KEEP]) == (text, False)


@pytest.mark.parametrize("lines", [[], [KEEP]])
def test_a_stream_for_http_10_ends_with_the_connection(lines: list[bytes]) -> None:
    text = OK0 + b"Connection: close\r\n\r\nabcdef"
    assert response(start(), body(b"abc", True), body(b"def"), minor=0, lines=lines) == (text, True)


def test_a_stream_with_a_length_keeps_a_connection_of_http_10() -> None:
    messages = (start(200, (b"content-length", b"2")), body(b"a", True), body(b"b"))
    text = OK0 + b"Content-Length: 2\r\nConnection: keep-alive\r\n\r\nab"
    assert response(*messages, minor=0, lines=[KEEP]) == (text, False)


@pytest.mark.parametrize("minor", [0, 1])
def test_the_client_closes_the_connection(minor: int) -> None:
    text, closed = response(start(), body(b"a"), minor=minor, lines=[CLOSE])
    assert b"\r\nConnection: close\r\n" in text
    assert closed


@pytest.mark.parametrize("value", [b"close", b"Close", b"keep-alive, close"])
def test_the_application_closes_the_connection(value: bytes) -> None:
    text, closed = response(start(200, (b"connection", value)), body(b"a"))
    assert text.count(b"Connection: close\r\n") == text.count(b"Connection") == 1
    assert closed


@pytest.mark.parametrize("name", [b"Connection", b"keep-alive", b"KEEP-ALIVE", b"Upgrade", b"transfer-encoding"])
def test_other_headers_of_the_connection_are_left_out(name: bytes) -> None:
    text, closed = response(start(200, (name, b"keep-alive, x")), body(b"a"))
    assert text == OK1 + b"Content-Length: 1\r\n\r\na"
    assert not closed


def early(status: int) -> Message:
    return {"type": "http.response.informational", "status": status, "headers": [(b"link", b"</a>; rel=preload")]}


def test_interim_responses_are_written_at_once_for_http_11_only() -> None:
    text = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + OK1 + b"Content-Length: 1\r\n\r\na"
    assert response(early(103), start(), body(b"a"))[0] == text
    assert response(early(103), start(), body(b"a"), minor=0)[0].startswith(OK0)
    assert response(start(), body(b"a", True), early(103), body())[0].count(b"HTTP/1.1") == 1


TRAILERS: Message = {"type": "http.response.trailers", "headers": [(b"x-t", b"1"), (b"content-length", b"9")]}


def test_trailers_follow_the_body_for_a_client_that_accepts_them() -> None:
    messages = (start(200, (b"content-length", b"3"), trailers=True), body(b"a", True), body(b"bc"), TRAILERS)
    text = OK1 + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\nX-T: 1\r\n\r\n"
    assert response(*messages, lines=[b"TE: trailers"]) == (text, False)
    text = OK1 + b"Content-Length: 3\r\n\r\nabc"
    assert response(*messages) == (text, False)
    assert response(*messages, minor=0, lines=[b"TE: trailers"])[0].endswith(b"\r\n\r\nabc")


def test_a_response_may_start_before_the_body_has_arrived() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, (b"content-length", b"6")))
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send(body(message["body"], more))

    async def main() -> None:
        client = Wire(echo, Limits())
        client.send(POST % (6, b"") + b"ab")
        await turns()
        assert client.received.endswith(b"\r\n\r\nab")
        client.send(b"cd")
        await turns()
        assert client.received.endswith(b"abcd")
        client.send(b"ef")
        await turns()
        assert client.received.endswith(b"abcdef")
        assert b"Connection: close" not in client.received
        assert not client.closed

    run_virtual(main())


def test_a_connection_may_change_its_version() -> None:
    async def main() -> None:
        client = Wire(answers(start(), body(b"a")), Limits())
        for minor in (0, 1, 0):
            client.send(b"GET / HTTP/1.%d\r\nHost: a\r\nConnection: keep-alive\r\n\r\n" % minor)
            await turns()
            assert client.take().startswith(b"HTTP/1.%d 200" % minor)

    run_virtual(main())
