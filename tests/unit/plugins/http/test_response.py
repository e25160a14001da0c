"""Worker replies and the messages made from them, as tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pyroadrunner.plugins.http.errors import BadReply
from pyroadrunner.plugins.http.response import (
    Head,
    HeadCache,
    informational_message,
    merge,
    read_head,
    start_message,
    whole,
)
from pyroadrunner.proto.http.v1.http_pb2 import HeaderValue, Response
from pyroadrunner.workers.payload import Codec

JSON, PROTO = int(Codec.JSON), int(Codec.PROTO)


def protobuf(status: int, **headers: list[bytes]) -> bytes:
    return Response(
        status=status, headers={name: HeaderValue(value=values) for name, values in headers.items()}
    ).SerializeToString()


@pytest.mark.parametrize(
    ("context", "status", "headers"),
    [
        (b'{"status":200,"headers":{"A":["1","2"]}}', 200, {"A": ["1", "2"]}),
        (b'{"status":200,"headers":{}}', 200, {}),
        (b'{"status":200,"headers":[]}', 200, {}),
        (b'{"status":200,"headers":null}', 200, {}),
        (b'{"status":200}', 200, {}),
        (b'{"headers":{}}', -1, {}),
        (b'{"status":200,"headers":{"A":"1"}}', 200, {"A": ["1"]}),
        (b'{"status":200,"headers":{"A":[1,2.5,true,null]}}', 200, {"A": ["1", "2.5", "1", ""]}),
        (b'{"status":200,"headers":{"A":[]}}', 200, {"A": []}),
        (b'{"status":200,"headers":{},"other":1}', 200, {}),
    ],
)
def test_json_heads_are_read_also_when_php_wrote_them_loosely(context: bytes, status: int, headers: Any) -> None:
    assert read_head(context, JSON, JSON) == (status, headers)


@pytest.mark.parametrize(
    "context",
    [
        b"{not json",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"status":"200"}',
        b'{"status":200,"headers":["a"]}',
        b'{"status":200,"headers":{"A":[["x"]]}}',
        b'{"status":200,"headers":{"A":{"b":1}}}',
        b'{"x":' + b"[" * 200_000,
        b'{"status":200,"headers":{"A":' + b'{"a":' * 200_000,
    ],
)
def test_a_malformed_head_is_an_error_with_a_reason(context: bytes) -> None:
    with pytest.raises(BadReply, match=r"the head of the worker's reply can't be read: .+"):
        read_head(context, JSON, JSON)


def test_a_broken_protobuf_head_is_an_error_too() -> None:
    with pytest.raises(BadReply):
        read_head(b"\x0a\xff", PROTO, PROTO)


@pytest.mark.parametrize(
    ("codec", "asked", "is_protobuf"),
    [(JSON, JSON, False), (JSON, PROTO, False), (0, JSON, False), (0, PROTO, True), (PROTO, JSON, True)],
)
def test_the_frame_names_the_codec_and_the_default_is_that_of_the_request(
    codec: int, asked: int, is_protobuf: bool
) -> None:
    context = protobuf(201, A=[b"1"]) if is_protobuf else b'{"status":201,"headers":{"A":["1"]}}'
    assert read_head(context, codec, asked) == (201, {"A": ["1"]})


def test_protobuf_headers_are_bytes_on_the_wire() -> None:
    assert read_head(protobuf(200, A=[b"\xc3\xa9", b"\xff"]), PROTO, PROTO)[1] == {"A": ["é", "\ufffd"]}


@pytest.mark.parametrize(
    ("raw", "sent", "dropped"),
    [
        ({"X-A": ["1", "2"], "x-lower": ["v"]}, [(b"x-a", b"1"), (b"x-a", b"2"), (b"x-lower", b"v")], []),
        ({"Set-Cookie": ["a=1", "b=2"]}, [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")], []),
        ({"X": [" a\t"]}, [(b"x", b"a")], []),
        ({"X": ["a\tb"]}, [(b"x", b"a\tb")], []),
        ({"X": ["é\u00a0€"]}, [(b"x", "é\u00a0€".encode())], []),
        ({"X": ["a\r\nSet-Cookie: evil=1"]}, [(b"x", b"a  Set-Cookie: evil=1")], []),
        ({"X": ["a\nb", "ok"]}, [(b"x", b"a b"), (b"x", b"ok")], []),
        ({"X": ["a\x00b", "ok"]}, [(b"x", b"ok")], ["X"]),
        ({"X": ["a\x7f"]}, [], ["X"]),
        ({"X Y": ["1"], "": ["2"], "X\r\nY": ["3"], "É": ["4"], "a:b": ["5"]}, [], ["X Y", "", "X\r\nY", "É", "a:b"]),
        ({"Http2-Push": ["/a.css"]}, [(b"http2-push", b"/a.css")], []),
    ],
)
def test_headers_are_sent_in_order_and_never_break_the_response(
    raw: dict[str, list[str]], sent: list[tuple[bytes, bytes]], dropped: list[str]
) -> None:
    head = Head(200, raw, trailers=False)
    assert head.headers == sent
    assert head.dropped == dropped


CLOSE = [(b"connection", b"close")]


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        ({"Connection": ["close"]}, CLOSE),
        ({"connection": ["close"]}, CLOSE),
        ({"CONNECTION": ["CLOSE"]}, CLOSE),
        ({"cOnNeCtIoN": [" Close\t"]}, CLOSE),
        ({"Connection": ["close", "close"]}, CLOSE),
        ({"Connection": ["close, close"]}, CLOSE),
        ({"Connection": ["close"], "connection": ["close"], "CONNECTION": ["close"]}, CLOSE),
        ({"Connection": ["keep-alive"], "connection": ["close"]}, CLOSE),
        ({"Connection": ["keep-alive", "close"]}, CLOSE),
        ({"Connection": ["X-Foo,close ,Keep-Alive"]}, CLOSE),
        ({"Connection": [",,close,"]}, CLOSE),
        ({"Connection": ["X\r\n, close"]}, CLOSE),
        ({"Connection": ["close"], "Keep-Alive": ["timeout=5"], "Upgrade": ["h2c"]}, CLOSE),
        ({"Connection": ["keep-alive"]}, []),
        ({"connection": ["Keep-Alive, X-Foo"]}, []),
        ({"Connection": ["Upgrade"], "Upgrade": ["websocket"]}, []),
        ({"Connection": ["TE, transfer-encoding"]}, []),
        ({"Connection": [""]}, []),
        ({"Connection": []}, []),
        ({"Connection": ["closed", "not close", "close;x", "clo\u017fe", '"close"']}, []),
        ({"Connection": ["close\r\nX-Evil: 1"]}, []),
        ({"Connection": ["\x00"]}, []),
        ({"Keep-Alive": ["close"], "keep-alive": ["timeout=5, max=100"], "KEEP-ALIVE": ["x"]}, []),
        ({"Proxy-Connection": ["close"], "proxy-connection": ["keep-alive"], "PROXY-connection": ["x"]}, []),
        ({"TE": ["trailers"], "te": ["gzip"], "Te": ["close"]}, []),
        ({"Transfer-Encoding": ["chunked"], "transfer-encoding": ["gzip, chunked"]}, []),
        ({"TRANSFER-ENCODING": ["identity", "chunked"], "Transfer-encoding": ["xchunked"]}, []),
        ({"Upgrade": ["websocket"], "upgrade": ["h2c"], "UPGRADE": ["\x00"]}, []),
    ],
)
def test_of_the_headers_of_a_connection_only_close_is_sent_once_and_the_rest_is_no_fault(
    raw: dict[str, list[str]], sent: list[tuple[bytes, bytes]]
) -> None:
    for _ in range(2):  # unknown spellings, then known ones
        head = Head(200, {"X-Foo": ["1"], **raw, "X-Last": ["2"]}, trailers=False)
        assert sorted(head.headers) == sorted([(b"x-foo", b"1"), *sent, (b"x-last", b"2")])
        assert head.dropped == []


@pytest.mark.parametrize(
    "name", ["Connection ", " Connection", "Connection:", "Transfer-Encoding\r\n", "Upgrade\x00", "TE\t"]
)
def test_a_connection_header_with_a_name_that_is_not_legal_is_dropped_as_any_other(name: str) -> None:
    head = Head(200, {name: ["close"]}, trailers=False)
    assert head.headers == []
    assert head.dropped == [name]


def test_close_is_never_a_trailer() -> None:
    head = Head(200, {"Trailer": ["Connection, TE"], "Connection": ["close"], "TE": ["x"]}, trailers=True)
    assert (head.headers, head.trailers) == (CLOSE, [])


def test_an_interim_response_has_only_headers_of_its_own() -> None:
    message = informational_message(
        103, {"Link": ["</a>"], "Connection": ["close"], "Content-Length": ["1"], "TE": ["x"]}
    )
    assert message == {"type": "http.response.informational", "status": 103, "headers": [(b"link", b"</a>")]}


@pytest.mark.parametrize(
    ("raw", "length"),
    [
        ({"Content-Length": ["5"]}, 5),
        ({"content-length": [" 5 "]}, 5),
        ({"CONTENT-LENGTH": ["x", "5"]}, 5),
        ({"Content-Length": ["-1"]}, None),
        ({"Content-Length": ["9" * 30]}, None),
        ({"Content-Length": ["٣"]}, None),
        ({}, None),
    ],
)
def test_the_length_is_kept_separately(raw: dict[str, list[str]], length: int | None) -> None:
    head = Head(200, raw, trailers=False)
    assert head.length == length
    assert head.headers == []


@pytest.mark.parametrize("status", [200, 204, 301, 404, 599])
def test_a_valid_status_is_used(status: int) -> None:
    head = Head(status, {}, trailers=False)
    assert (head.status, head.replaced) == (status, None)


@pytest.mark.parametrize("status", [99, 0, -1, 101, 600, 1000, -200])
def test_an_invalid_status_becomes_500_with_the_headers_of_the_worker(status: int) -> None:
    head = Head(status, {"X-A": ["1"], "Content-Type": ["text/html"], "Content-Length": ["1"]}, trailers=False)
    start, body = whole(head, b"x", head_only=False)
    text = f"unknown status code from worker: {status}\n".encode()
    assert start["status"] == 500
    assert start["headers"] == [
        (b"x-a", b"1"),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-length", b"%d" % len(text)),
    ]
    assert body["body"] == text


def test_an_interim_status_without_a_final_one_is_200() -> None:
    assert Head(103, {}, trailers=False).status == 200


@pytest.mark.parametrize(
    ("status", "raw", "body", "head_only", "length", "sent"),
    [
        (200, {}, b"abc", False, 3, b"abc"),
        (200, {}, b"", False, 0, b""),
        (200, {"Content-Length": ["99"]}, b"abc", False, 3, b"abc"),
        (200, {"Content-Length": ["1"]}, b"abc", False, 3, b"abc"),
        (200, {}, b"abc", True, 3, b""),
        (200, {"Content-Length": ["99"]}, b"", True, 99, b""),
        (200, {"Content-Length": ["99"]}, b"abc", True, 99, b""),
        (200, {}, b"", True, None, b""),
        (204, {"Content-Length": ["3"]}, b"abc", False, None, b""),
        (304, {}, b"abc", False, None, b""),
        (304, {"Content-Length": ["7"]}, b"", False, 7, b""),
    ],
)
def test_lengths_are_correct(
    status: int, raw: dict[str, list[str]], body: bytes, head_only: bool, length: int | None, sent: bytes
) -> None:
    start, rest = whole(Head(status, raw, trailers=False), body, head_only=head_only)
    expected = [] if length is None else [(b"content-length", b"%d" % length)]
    assert [pair for pair in start["headers"] if pair[0] == b"content-length"] == expected
    assert rest["body"] == sent
    assert not rest.get("more_body")


TRAILERS = {"Trailer": ["X-T, x-u", "X-V"], "X-T": ["1"], "X-U": ["2"], "X-V": ["3"], "X": ["4"]}


@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])  # Symfony writes all names in lower case
def test_announced_trailers_follow_the_body(spelling: Callable[[str], str]) -> None:
    head = Head(200, {spelling(name): values for name, values in TRAILERS.items()}, trailers=True)
    assert head.trailers == [(b"x-t", b"1"), (b"x-u", b"2"), (b"x-v", b"3")]
    assert head.headers == [(b"x", b"4")]
    assert start_message(head, None)["trailers"] is True


def test_a_client_that_does_not_accept_trailers_gets_the_fields_in_the_head() -> None:
    head = Head(200, {"trailer": ["X-T"], **TRAILERS}, trailers=False)
    assert head.trailers == []
    assert head.headers == [(b"x-t", b"1"), (b"x-u", b"2"), (b"x-v", b"3"), (b"x", b"4")]
    assert "trailers" not in start_message(head, None)


def test_headers_of_interim_responses_are_merged() -> None:
    kept: dict[str, list[str]] = {}
    merge(kept, {"Link": ["a"]})
    merge(kept, {"Link": ["b"], "X": ["1"]})
    assert kept == {"Link": ["a", "b"], "X": ["1"]}


@pytest.mark.parametrize(("status", "head_only"), [(200, True), (204, False)])
def test_without_a_body_there_are_no_trailers(status: int, head_only: bool) -> None:
    head = Head(status, TRAILERS, trailers=True)
    start, _ = whole(head, b"", head_only=head_only)
    assert "trailers" not in start
    assert head.trailers == []


def cached(context: bytes) -> tuple[HeadCache, Head]:
    cache = HeadCache()
    status, headers = read_head(context, Codec.JSON, Codec.JSON)
    head = Head(status, headers, trailers=False)
    cache.put(context, head)
    return cache, head


def test_a_known_head_is_not_read_again_and_each_response_has_its_own() -> None:
    context = b'{"status":201,"headers":{"X-A":["1","2"],"Content-Length":["5"]}}'
    cache, head = cached(context)
    whole(head, b"hello", head_only=False)  # adds its content-length to its own headers
    for _ in range(2):
        again = cache.get(context)
        assert again is not None
        assert (again.status, again.headers, again.length) == (201, [(b"x-a", b"1"), (b"x-a", b"2")], 5)
        whole(again, b"hello", head_only=False)


@pytest.mark.parametrize(
    "context",
    [
        b'{"status":200,"headers":{"Set-Cookie":["a=b"]}}',
        b'{"status":200,"headers":{"X-A":["' + b"x" * 2000 + b'"]}}',
        b'{"status":200,"headers":{"X Y":["1"]}}',
    ],
)
def test_a_head_with_a_cookie_a_large_one_and_one_with_a_warning_are_not_kept(context: bytes) -> None:
    cache, _ = cached(context)
    assert cache.get(context) is None


def test_the_cache_of_heads_is_bounded() -> None:
    cache = HeadCache()
    for number in range(1000):
        context = b'{"status":200,"headers":{"X-A":["%d"]}}' % number
        cache.put(context, Head(*read_head(context, Codec.JSON, Codec.JSON), trailers=False))
    assert repr(cache) == "HeadCache(232)"
