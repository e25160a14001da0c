"""Requests that no one would write by hand. What the server finds in a stream of bytes may not depend on how the bytes
are cut into pieces, and nothing raises out of ``data_received``.

``RR_FUZZ_SECONDS=600`` runs each test for so long, with random examples; see CONTRIBUTING.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Coroutine
from itertools import pairwise
from time import monotonic
from typing import Any

import h11
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pyroadrunner.asgi import Receive, Scope, Send
from pyroadrunner.httpd.http1.chunked import ChunkedDecoder
from pyroadrunner.httpd.http1.refusals import Refusal
from pyroadrunner.httpd.http1.request_head import parse
from pyroadrunner.httpd.limits import Limits
from support.http1 import Wire
from support.virtual_time import run_virtual, turns

SECONDS = float(os.environ.get("RR_FUZZ_SECONDS", "0"))
SHORT = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
LONG = settings(
    max_examples=10**9,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
LIMITS = Limits(max_head=2048, max_buffer=1024)

Test = Callable[..., None]


class Over(BaseException):
    """The time of a long run is over."""


def fuzzed(test: Test) -> Test:
    """Run a test of hypothesis for a moment, or for ``RR_FUZZ_SECONDS``."""
    if not SECONDS:
        return SHORT(test)
    until = [0.0]
    inner = test.hypothesis.inner_test  # type: ignore[attr-defined]

    def timed(*args: Any, **keys: Any) -> None:
        until[0] = until[0] or monotonic() + SECONDS
        if monotonic() > until[0]:
            raise Over
        inner(*args, **keys)

    test.hypothesis.inner_test = timed  # type: ignore[attr-defined]
    long = LONG(test)

    def run() -> None:
        try:
            long()
        except Over:
            pass

    run.__name__ = test.__name__
    marked: Test = pytest.mark.timeout(SECONDS + 60)(run)
    return marked


# -- bytes -----------------------------------------------------------------------------------------------------------

METHODS = st.sampled_from(
    [b"GET", b"POST", b"HEAD", b"OPTIONS", b"PURGE", b"get", b"CONNECT", b"TRACE", b"G\x01T", b""]
)
TARGETS = st.sampled_from(
    [
        b"/",
        b"/a?b=c",
        b"/a?",
        b"/%41%zz",
        b"/%c3%a9",
        b"*",
        b"http://a/b",
        b"http://u@a/",
        b"a:80",
        b"//a",
        b"/a b",
        "/é".encode(),
        b"/a#b",
        b"/\x7f",
        b"http://a?b",
        b"HTTPS://[::1]:1/x",
        b"/" + b"a" * 500,
        b"",
    ]
)
VERSIONS = st.sampled_from(
    [b"HTTP/1.1"] * 6 + [b"HTTP/1.0"] * 2 + [b"HTTP/2.0", b"HTTP/1.2", b"http/1.1", b"HTTP/1.1 ", b""]
)
NAMES = st.sampled_from(
    [
        b"Host",
        b"host",
        b"Content-Length",
        b"content-length",
        b"Transfer-Encoding",
        b"Connection",
        b"Expect",
        b"Upgrade",
        b"TE",
        b"X",
        b"X-Y",
        b"Cookie",
        b"x ",
        b" x",
        b"",
        b"X\x00",
        b"x:y",
        b"Keep-Alive",
        b"Trailer",
        b"x_y",
        b"\xe9",
    ]
)
VALUES = st.sampled_from(
    [
        b"a",
        b"",
        b"0",
        b"3",
        b"03",
        b"+3",
        b"-1",
        b"3, 3",
        b"3,5",
        b"0x3",
        b"3 ",
        b"99999999999999999999",
        b"chunked",
        b"Chunked",
        b"chunked, chunked",
        b"gzip, chunked",
        b"identity",
        b"close",
        b"keep-alive",
        b"keep-alive, close",
        b"upgrade",
        b"100-continue",
        b"200-ok",
        b"trailers",
        b"a\rb",
        b"a\x00b",
        b"a\tb",
        b" a ",
        b"\xff\xfe",
        b"a" * 300,
    ]
)
ENDS = st.sampled_from([b"\r\n"] * 30 + [b"\n", b"\r", b"\r\r\n", b"\r\n ", b""])
COLONS = st.sampled_from([b": ", b":", b":\t", b" : "] + [b": "] * 10)
LINES = st.builds(lambda name, colon, value, end: name + colon + value + end, NAMES, COLONS, VALUES, ENDS)
PLAIN_LINES = st.sampled_from(
    [b"Host: a\r\n", b"X: y\r\n", b"Connection: keep-alive\r\n", b"Content-Length: 3\r\n", b"Connection: close\r\n"]
)
BODIES = st.one_of(
    st.just(b""),
    st.binary(max_size=8),
    st.sampled_from(
        [
            b"abc",
            b"3\r\nabc\r\n0\r\n\r\n",
            b"0\r\n\r\n",
            b"a;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
            b"3\r\nabcd\r\n",
            b"0\r\n\r\nGET /inner HTTP/1.1\r\nHost: a\r\n\r\n",
            b"f" * 17 + b"\r\n",
            b"3\nabc\n0\n\n",
            b"3 ;a\r\nabc\r\n0\r\n\r\n",
        ]
    ),
)


def joined(
    method: bytes, target: bytes, version: bytes, end: bytes, lines: list[bytes], host: bytes, body: bytes
) -> bytes:
    return method + b" " + target + b" " + version + end + host + b"".join(lines) + b"\r\n" + body


HOSTS = st.sampled_from([b"Host: a\r\n"] * 8 + [b""])
REQUESTS = st.one_of(
    st.builds(joined, METHODS, TARGETS, VERSIONS, ENDS, st.lists(LINES, max_size=4), HOSTS, BODIES),
    st.builds(
        joined,
        st.sampled_from([b"GET", b"POST"]),
        st.sampled_from([b"/", b"/a?b"]),
        st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"]),
        st.just(b"\r\n"),
        st.lists(st.one_of(PLAIN_LINES, LINES), max_size=3),
        HOSTS,
        BODIES,
    ),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Requests with some bytes changed."""
    data = bytearray(b"".join(draw(st.lists(REQUESTS, min_size=1, max_size=4))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        what = draw(st.integers(0, 2))
        piece = draw(st.sampled_from([b"\r", b"\n", b"\r\n", b" ", b"\0", b":", b"\x80", b"0", b"\r\n\r\n"]))
        if what == 0:
            data[at:at] = piece
        elif what == 1:
            del data[at : at + 1]
        else:
            data[at : at + len(piece)] = piece
    return bytes(data)


@st.composite
def cut(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> tuple[bytes, list[bytes]]:
    """Bytes, and the same bytes in pieces."""
    data = draw(whole)
    if draw(st.booleans()):
        return data, [data[at : at + 1] for at in range(len(data))]
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return data, [data[first:last] for first, last in pairwise([0, *places, len(data)])]


# -- what the server makes of them -----------------------------------------------------------------------------------


class App:
    """Keeps each request; whether it reads the body is in the target."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = []
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return  # refused in the middle of its body
            parts.append(message["body"])
            more = message["more_body"]
        headers = tuple(scope["headers"])
        self.asked.append((scope["method"], scope["raw_path"], scope["query_string"], headers, b"".join(parts)))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


async def served(pieces: list[bytes]) -> tuple[list[tuple[Any, ...]], list[bytes]]:
    """The requests that the application saw, and the statuses of the responses."""
    app = App()
    client = Wire(app, LIMITS)
    for piece in pieces:
        await turns(2)
        client.send(piece)
    await turns(60)
    client.finish()
    await turns(10)
    statuses = re.findall(rb"HTTP/1\.[01] (\d+) ", client.received)
    return app.asked, [status for status in statuses if status != b"100"]


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return run_virtual(main)


@fuzzed
@given(cut(mutated()))
def test_pieces_do_not_change_what_is_read(data: tuple[bytes, list[bytes]]) -> None:
    whole, pieces = data
    at_once, one_by_one = run(served([whole])), run(served(pieces))
    assert at_once[0] == one_by_one[0]
    # An error may be found earlier in pieces, and then have another status.
    assert [status < b"4" for status in at_once[1]] == [status < b"4" for status in one_by_one[1]]


@fuzzed
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    assert run(served([data]))[0] == []


@fuzzed
@given(mutated())
def test_a_strict_parser_reads_the_same(data: bytes) -> None:
    """Requests that h11 and the server both accept are the same to both, up to the first that either refuses."""
    ours, _ = run(served([data]))
    for mine, theirs in zip(ours, strict_requests(data), strict=False):
        if theirs is None:
            return
        method, target, headers, body = theirs
        path, query = mine[1], mine[2]
        assert mine[0] == method
        if not target.lower().startswith((b"http://", b"https://")):
            assert target in (path, path + b"?" + query)
        assert mine[4] == body
        names = {name for name, _ in mine[3]}
        assert names == {name for name, _ in headers} | ({b"host"} & names)
        if not target.lower().startswith((b"http://", b"https://")):
            lengths = (b"content-length",)
            assert [pair for pair in mine[3] if pair[0] not in lengths] == [
                pair for pair in headers if pair[0] not in lengths
            ]


def strict_requests(data: bytes) -> list[tuple[str, bytes, list[tuple[bytes, bytes]], bytes] | None]:
    """The requests that h11 reads; ``None`` = it refuses the next one."""
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMITS.max_head)
    parser.receive_data(data.lstrip(b"\r\n"))
    found: list[tuple[str, bytes, list[tuple[bytes, bytes]], bytes] | None] = []
    while True:
        try:
            event = parser.next_event()
            if not isinstance(event, h11.Request):
                return [*found, None]
            request, body = event, bytearray()
            while isinstance(event := parser.next_event(), h11.Data):
                body += event.data
            if not isinstance(event, h11.EndOfMessage):
                return [*found, None]
            found.append((request.method.decode(), request.target, list(request.headers), bytes(body)))
            parser.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            parser.send(h11.EndOfMessage())
            if parser.our_state is h11.MUST_CLOSE:
                return [*found, None]
            parser.start_next_cycle()
        except h11.ProtocolError:
            return [*found, None]


# -- truth from the generator ----------------------------------------------------------------------------------------


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Valid requests, and the target and body of each."""
    data, truth = b"", []
    for number in range(draw(st.integers(1, 6))):
        target, body = b"/%d" % number, draw(st.binary(max_size=40))
        head = b"POST " + target + b" HTTP/1.1\r\nHost: a\r\n"
        coding = draw(st.sampled_from(["length", "chunked", "none"]))
        if coding == "length":
            data += head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        elif coding == "chunked":
            data += head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(draw, body)
        else:
            body = b""
            data += head + b"\r\n"
        truth.append((target, body))
    return data, truth


def chunks(draw: st.DrawFn, body: bytes) -> bytes:
    places = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
    pieces = [body[first:last] for first, last in pairwise([0, *places, len(body)])]
    form = draw(st.sampled_from([b"%x\r\n%b\r\n", b"%04X\r\n%b\r\n", b"%x;a=b\r\n%b\r\n", b'%x ;"a"\r\n%b\r\n']))
    trailers = draw(st.sampled_from([b"", b"X: y\r\n", b"A: b\r\nC:\r\n"]))
    return b"".join(form % (len(piece), piece) for piece in pieces if piece) + b"0\r\n" + trailers + b"\r\n"


@fuzzed
@given(pipelines(), st.data())
def test_valid_pipelines_are_read_as_they_were_meant(
    pipeline: tuple[bytes, list[tuple[bytes, bytes]]], data: st.DataObject
) -> None:
    whole, truth = pipeline
    _, pieces = data.draw(cut(st.just(whole)))
    asked, statuses = run(served(pieces))
    assert [(path, body) for _, path, _, _, body in asked] == truth
    assert statuses == [b"200"] * len(truth)


# -- the pure parts --------------------------------------------------------------------------------------------------


@fuzzed
@given(st.one_of(REQUESTS, st.binary(max_size=100)))
def test_a_head_is_parsed_or_refused(data: bytes) -> None:
    try:
        head = parse(data)
    except Refusal as refusal:
        status = refusal.status
    else:
        status = 400
        assert head.fields.length >= -1
        assert not any(b"\n" in name + value or b"\0" in name + value for name, value in head.headers())
    assert 400 <= status <= 505


def decoded(pieces: list[bytes]) -> tuple[bytes, bytes] | None:
    """Body and rest; ``None`` = refused."""
    decoder = ChunkedDecoder()
    body = rest = b""
    try:
        for piece in pieces:
            if decoder.done:
                rest += piece
            else:
                part, after = decoder.feed(piece)
                body, rest = body + part, rest + after
    except Refusal:
        return None
    return body, rest


@fuzzed
@given(cut(st.one_of(BODIES, st.builds(lambda one, other: one + other, BODIES, BODIES), st.binary(max_size=50))))
def test_pieces_do_not_change_a_chunked_body(data: tuple[bytes, list[bytes]]) -> None:
    whole, pieces = data
    assert decoded([whole]) == decoded(pieces)
